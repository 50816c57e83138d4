"""Completes logins: writes links and accounts.

Owns the identity providers and everything that sees a password. Must not know the signing key, HTTP pages or SOAP.
"""
