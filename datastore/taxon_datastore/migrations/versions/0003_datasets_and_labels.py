"""Data sets, labels, and the log as arrays."""

from alembic import op

revision = "0003"
down_revision = "0002"

PREDICTION_COLUMNS = (
    "id, namespace, model, version, time, request_id, features, categories, inputs, label,"
    " confidence, probabilities, latency_seconds, outcome, transport, mirrored"
)
LABEL_COLUMNS = (
    "id, namespace, model, prediction_id, request_id, label, observed_at, received_at, submitter"
)


def upgrade() -> None:
    """Add the tables, and columns to the log that earlier releases need not fill."""
    _log()
    _labels()
    _datasets()


def _log() -> None:
    """Add what a row of categories needs, and the view that servers copy rows into.

    COPY skips no row that exists, and does not work on a table with row-level security; a view
    with a trigger does both without a temporary table for each batch.
    """
    op.execute("ALTER TABLE predictions ADD COLUMN categories text[]")
    op.execute("ALTER TABLE predictions ADD COLUMN transport text")
    op.execute("ALTER TABLE predictions ADD COLUMN mirrored boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX ON predictions (namespace, request_id) WHERE request_id IS NOT NULL")
    op.execute("""
        CREATE TABLE signatures (
            namespace text NOT NULL,
            model text NOT NULL,
            version text NOT NULL,
            features jsonb NOT NULL,
            PRIMARY KEY (namespace, model, version)
        )
    """)
    op.execute("""
        CREATE TABLE retentions (
            namespace text NOT NULL,
            model text NOT NULL,
            days integer CHECK (days > 0),
            since timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (namespace, model, since)
        )
    """)
    _intake("predictions", PREDICTION_COLUMNS)
    op.execute("ALTER VIEW predictions_intake ALTER COLUMN mirrored SET DEFAULT false")


def _labels() -> None:
    op.execute("""
        CREATE TABLE labels (
            id uuid PRIMARY KEY,
            namespace text NOT NULL,
            model text NOT NULL,
            prediction_id uuid,
            request_id text,
            label jsonb NOT NULL,
            observed_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            submitter text,
            CHECK ((prediction_id IS NULL) <> (request_id IS NULL))
        )
    """)
    op.execute("CREATE INDEX ON labels (prediction_id, observed_at DESC)")
    op.execute("CREATE INDEX ON labels (namespace, request_id) WHERE request_id IS NOT NULL")
    op.execute("CREATE INDEX ON labels (received_at)")
    _intake("labels", LABEL_COLUMNS)


def _intake(table: str, columns: str) -> None:
    """Create a table's view for COPY; a row that exists is left as it is.

    The function runs with the rights of whoever copies, so the table's policies on rows hold.
    """
    values = ", ".join(f"NEW.{name.strip()}" for name in columns.split(","))
    op.execute(f"CREATE VIEW {table}_intake AS SELECT {columns} FROM {table}")  # noqa: S608 - names of this file
    op.execute(f"""
        CREATE FUNCTION take_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;
            RETURN NEW;
        END
        $$
    """)  # noqa: S608 - names of this file
    op.execute(
        f"CREATE TRIGGER take INSTEAD OF INSERT ON {table}_intake"
        f" FOR EACH ROW EXECUTE FUNCTION take_{table}()"
    )


def _datasets() -> None:
    op.execute("""
        CREATE TABLE datasets (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            namespace text NOT NULL,
            name text NOT NULL,
            version integer NOT NULL,
            digest text NOT NULL,
            format text NOT NULL,
            rows bigint NOT NULL,
            columns jsonb NOT NULL,
            arrow_schema bytea,
            created_at timestamptz NOT NULL DEFAULT now(),
            created_by text NOT NULL DEFAULT session_user,
            UNIQUE (namespace, name, version),
            UNIQUE (namespace, name, digest),
            UNIQUE (id, namespace)
        )
    """)
    op.execute("""
        CREATE TABLE dataset_numbers (
            namespace text NOT NULL,
            name text NOT NULL,
            version integer NOT NULL,
            PRIMARY KEY (namespace, name, version)
        )
    """)
    op.execute("""
        CREATE TABLE training_data (
            dataset bigint NOT NULL,
            namespace text NOT NULL,
            row bigint NOT NULL,
            cells text[] NOT NULL,
            PRIMARY KEY (dataset, row),
            FOREIGN KEY (dataset, namespace) REFERENCES datasets (id, namespace) ON DELETE CASCADE
        )
    """)


def downgrade() -> None:
    """Remove what was added."""
    for table in ("predictions", "labels"):
        op.execute(f"DROP VIEW {table}_intake")
        op.execute(f"DROP FUNCTION take_{table}()")
    for table in (
        "training_data",
        "dataset_numbers",
        "datasets",
        "labels",
        "retentions",
        "signatures",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP INDEX predictions_namespace_request_id_idx")
    for column in ("categories", "transport", "mirrored"):
        op.execute(f"ALTER TABLE predictions DROP COLUMN {column}")
