"""The prediction log: from answers in memory to rows in PostgreSQL."""
