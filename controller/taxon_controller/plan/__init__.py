"""What should be done about a model: pure decisions."""
