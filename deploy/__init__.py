"""Puts the parts together: the `latchkey` command, and all three services in one process."""
