"""What Sonos wants to know of a service before anybody can add it: texts, maps, and the fields of its forms."""
