"""From examples to a fitted pipeline: its steps, the search, the fit."""
