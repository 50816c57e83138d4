"""What all three services agree on: rules, messages, storage, bus, keys, settings.

Layered, top to bottom: bootstrap, worker, context, bus and storage, wire, messages and its siblings, domain.
A module imports only from the layers below its own.
"""
