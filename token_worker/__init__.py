"""Mints, refreshes, revokes: writes grants and deliveries.

The only process that holds the signing key. Must not know identity providers, passwords, HTTP or SOAP.
"""
