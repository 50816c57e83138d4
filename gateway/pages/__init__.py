"""What people see: sign in, confirm, done, and what can happen in between.

Owns HTML, cookies and forms. Works without JavaScript. Must not know SOAP or a driver: it publishes, waits and reads.
"""
