"""From a fitted pipeline to a sealed bundle."""
