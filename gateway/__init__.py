"""Speaks to Sonos (SOAP) and to people (HTML): publishes events, answers from what it reads.

The only process that faces the internet. Cannot write, holds no key that could mint a token, asks no identity provider.
"""
