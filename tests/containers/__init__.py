"""Our image and compose.yaml in containers that really run: `make containers`. Only the images of others are stand-ins."""
