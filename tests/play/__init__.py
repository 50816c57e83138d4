"""The parts of a flow that are not ours: Sonos, a person with a browser, and the operator who starts processes."""
