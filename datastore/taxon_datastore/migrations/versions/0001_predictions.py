"""The prediction log."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table, partitioned by day, and the default partition for other days."""
    op.execute("""
        CREATE TABLE predictions (
            id uuid NOT NULL,
            namespace text NOT NULL,
            model text NOT NULL,
            version text NOT NULL,
            time timestamptz NOT NULL,
            request_id text,
            features double precision[],
            label jsonb,
            confidence double precision,
            probabilities double precision[],
            latency_seconds double precision NOT NULL,
            outcome text NOT NULL,
            PRIMARY KEY (id, time)
        ) PARTITION BY RANGE (time)
    """)
    op.execute("CREATE TABLE predictions_default PARTITION OF predictions DEFAULT")
    op.execute("CREATE INDEX ON predictions (namespace, model, time DESC)")


def downgrade() -> None:
    """Remove the log."""
    op.execute("DROP TABLE predictions")
