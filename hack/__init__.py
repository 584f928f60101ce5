"""What developing Taxon needs and no part of it imports."""
