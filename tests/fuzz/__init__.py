"""A million SOAP requests that nobody would send: `requests` makes them, `door` puts them in, `python -m tests.fuzz` runs it."""
