"""The store: base is the port, sql its adapter for SQLite and PostgreSQL alike."""
