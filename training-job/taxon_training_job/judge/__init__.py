"""How good a fitted pipeline is, and whether its serving file answers as it does."""
