"""The rules of links, grants and tokens: pure functions over frozen values.

Owns every decision. Must not know a database, a broker, XML, HTTP, or the clock: time and randomness are arguments.
"""
