"""The values of logged rows under the names of their features."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the view over a function, which reads with the rights of whoever asks.

    PostgreSQL puts the function's query in the place of its call, so conditions on time, model and
    namespace choose partitions and use the index.
    """
    op.execute("""
        CREATE FUNCTION every_prediction_value()
        RETURNS TABLE (
            id uuid, "time" timestamptz, namespace text, model text, version text,
            mirrored boolean, feature text, type text, number double precision, text text
        ) LANGUAGE sql STABLE AS $$
            SELECT made.id, made.time, made.namespace, made.model, made.version, made.mirrored,
                given.feature,
                coalesce(given.type, CASE
                    WHEN made.inputs IS NULL OR jsonb_typeof(given.input) = 'number' THEN 'Numeric'
                    WHEN jsonb_typeof(given.input) = 'boolean' THEN 'Boolean'
                    WHEN jsonb_typeof(given.input) = 'string' THEN 'Categorical'
                END),
                CASE
                    WHEN made.inputs IS NULL AND given.type IS DISTINCT FROM 'Categorical'
                        THEN made.features[given.place]
                    WHEN jsonb_typeof(given.input) = 'number'
                        THEN given.input::text::double precision
                    WHEN jsonb_typeof(given.input) = 'boolean'
                        THEN given.input::boolean::integer::double precision
                END,
                CASE
                    WHEN made.inputs IS NULL AND given.type = 'Categorical'
                        THEN made.categories[given.category]
                    WHEN jsonb_typeof(given.input) = 'string' THEN given.input #>> '{}'
                END
            FROM predictions AS made
            LEFT JOIN signatures AS known
                ON known.namespace = made.namespace AND known.model = made.model
                AND known.version = made.version
            CROSS JOIN LATERAL (
                SELECT place,
                    named.signed ->> 'name' AS feature,
                    named.signed ->> 'type' AS type,
                    made.inputs -> (place - 1) AS input,
                    count(*) FILTER (WHERE named.signed ->> 'type' = 'Categorical')
                        OVER (ORDER BY place) AS category
                FROM generate_series(
                    1, coalesce(cardinality(made.features), jsonb_array_length(made.inputs), 0)
                ) AS place
                CROSS JOIN LATERAL (SELECT known.features -> (place - 1)) AS named (signed)
            ) AS given
        $$
    """)
    op.execute("CREATE VIEW prediction_values AS SELECT * FROM every_prediction_value()")


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP VIEW prediction_values")
    op.execute("DROP FUNCTION every_prediction_value")
