"""Looks at an installation and says what is wrong with it: first everything is seen, then small functions judge it."""
