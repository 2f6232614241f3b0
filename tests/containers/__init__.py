"""The image and docker-compose.yml, built and run with Docker or podman: `make containers`."""
