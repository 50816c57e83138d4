"""The tests; a package only so that `tests.services` has one name everywhere, never part of the wheel."""
