"""Tools for developing Taxon; no part of Taxon imports them."""
