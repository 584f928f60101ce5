"""Programs of the bundle part: each runs as `python -m taxon_bundle.commands.NAME`."""
