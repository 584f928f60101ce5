"""PostgreSQL: its schema, its migrations, and every query the parts share."""
