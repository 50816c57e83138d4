"""What whoever runs the service sees of it: a page on the admin address, and the look-ups that the command shares with it."""
