"""The server: from a sealed bundle to answers over HTTP."""
