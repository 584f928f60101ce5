"""Data sets from the command line."""
