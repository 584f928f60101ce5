"""Data: from the bytes of a table to examples, and which of them are held out."""
