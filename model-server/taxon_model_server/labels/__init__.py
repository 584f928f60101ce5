"""Labels: what clients have observed of the predictions they were answered."""
