"""Data sets: versions of tables that models are trained on."""
