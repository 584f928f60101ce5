"""A Kubernetes cluster on this machine, with everything Taxon needs."""
