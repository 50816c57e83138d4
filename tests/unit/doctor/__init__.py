"""`latchkey doctor`."""
