"""The types, names and formats that the parts of Taxon share; no program logic."""
