"""The HTTP transport: the protocol's and the plain endpoints."""
