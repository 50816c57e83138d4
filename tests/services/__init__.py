"""Private PostgreSQL and RabbitMQ servers for tests: one of each per run, on loopback, gone afterwards.

Owns how a server is found, started, isolated per test and ended. Knows nothing of Latchkey's own code:
the migration of a template database comes from the caller.
"""
