"""Our image, compose.yaml and the Helm chart in containers that really run: `make containers`. Only the images of others are stand-ins."""
