"""The project's images: built from one Dockerfile each, kept as archives a cluster can load."""
