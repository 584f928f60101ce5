"""`taxon labels`: what was observed of predictions, from a file to the model's server."""
