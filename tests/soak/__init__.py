"""Long runs of the whole system behind a proxy, in which no call may fail: `make soak`."""
