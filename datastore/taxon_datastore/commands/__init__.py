"""Programs of the datastore: each runs as `python -m taxon_datastore.commands.NAME`."""
