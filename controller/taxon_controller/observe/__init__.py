"""What is in the cluster about a model, as values."""
