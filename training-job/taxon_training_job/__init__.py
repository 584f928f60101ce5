"""The trainer: from a table to a sealed bundle and a verdict."""
