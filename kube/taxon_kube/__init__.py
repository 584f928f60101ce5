"""The Kubernetes client of every part: kinds, reads, server-side apply, status, the Lease."""
