"""How fast Latchkey is, beside the floor it stands on and beside its peers: `python -m bench --help`."""
