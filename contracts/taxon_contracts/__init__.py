"""The vocabulary the parts of Taxon share, and nothing that does anything."""
