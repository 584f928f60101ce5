"""Local mode: a database, an object store, the trainer and the server as processes of one call."""
