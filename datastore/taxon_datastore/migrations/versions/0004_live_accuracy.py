"""Live accuracy: what labels say about the answers of each model, version and day."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the functions, and the view over them.

    Functions run with the rights of whoever asks, so that the policies on rows hold on every
    release of PostgreSQL; views do so from release 15 on only.
    """
    _wilson()
    _first_id()
    _between()
    _view()


def _wilson() -> None:
    """Create the two ends of Wilson's 95 % interval for a share; side is -1 or 1."""
    op.execute("""
        CREATE FUNCTION wilson_bound(correct bigint, labelled bigint, side integer)
        RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
            SELECT CASE WHEN labelled > 0 THEN greatest(0.0, least(1.0, (
                correct + 1.959963984540054 ^ 2 / 2 + side * 1.959963984540054 * sqrt(
                    correct * (labelled - correct) / labelled::double precision
                    + 1.959963984540054 ^ 2 / 4
                )
            ) / (labelled + 1.959963984540054 ^ 2))) END
        $$
    """)


def _first_id() -> None:
    """Create what gives the smallest UUIDv7 of a time, so that an index finds a day's labels."""
    op.execute("""
        CREATE FUNCTION first_id_of(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
            SELECT rpad(
                lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0'
            )::uuid
        $$
    """)


def _between() -> None:
    """Create the figures of some days; both bounds are a midnight in UTC.

    A label by request id counts where one answer of a day has the id, and was made before the
    label: clients may use an id again. The copy of a mirrored request has its original's id.
    """
    op.execute("""
        CREATE FUNCTION live_accuracy_between(since timestamptz, until timestamptz)
        RETURNS TABLE (
            namespace text, model text, version text, day date, predictions bigint,
            labelled bigint, share_labelled double precision, correct bigint,
            accuracy double precision, low double precision, high double precision
        ) LANGUAGE sql STABLE AS $$
            WITH by_request AS (
                SELECT made.id AS answer, given.*, count(*) OVER (
                    PARTITION BY given.namespace, given.model, given.id,
                        (made.time AT TIME ZONE 'UTC')::date
                ) AS answers
                FROM labels AS given JOIN predictions AS made
                    ON made.namespace = given.namespace AND made.model = given.model
                    AND made.request_id = given.request_id
                WHERE given.request_id IS NOT NULL
                    AND made.time >= since AND made.time < until
                    AND made.time < given.received_at + interval '5 minutes'
                    AND made.outcome = 'Answered' AND NOT made.mirrored
            ), observed AS (
                SELECT prediction_id AS answer, namespace, model, label, observed_at,
                    received_at, id
                FROM labels
                WHERE prediction_id >= first_id_of(since - interval '1 hour')
                    AND prediction_id < first_id_of(until + interval '1 hour')
                UNION ALL
                SELECT answer, namespace, model, label, observed_at, received_at, id
                FROM by_request WHERE answers = 1
            ), newest AS (
                SELECT DISTINCT ON (namespace, model, answer) namespace, model, answer, label
                FROM observed
                ORDER BY namespace, model, answer, observed_at DESC, received_at DESC, id
            ), counted AS (
                SELECT made.namespace, made.model, made.version,
                    (made.time AT TIME ZONE 'UTC')::date AS day,
                    count(*) AS predictions,
                    count(newest.label) AS labelled,
                    count(*) FILTER (WHERE newest.label = made.label) AS correct
                FROM predictions AS made LEFT JOIN newest
                    ON newest.namespace = made.namespace AND newest.model = made.model
                    AND newest.answer = made.id
                WHERE made.time >= since AND made.time < until
                    AND made.outcome = 'Answered' AND NOT made.mirrored
                GROUP BY 1, 2, 3, 4
            )
            SELECT namespace, model, version, day, predictions, labelled,
                labelled::double precision / predictions, correct,
                correct::double precision / nullif(labelled, 0),
                wilson_bound(correct, labelled, -1), wilson_bound(correct, labelled, 1)
            FROM counted
        $$
    """)


def _view() -> None:
    """Create the view: the figures of each day that has a partition or rows outside of them."""
    op.execute("""
        CREATE VIEW live_accuracy AS
        SELECT found.namespace, found.model, found.version, days.day, found.predictions,
            found.labelled, found.share_labelled, found.correct, found.accuracy, found.low,
            found.high
        FROM (
            SELECT to_date(right(part.relname, 8), 'YYYYMMDD') AS day
            FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
            WHERE inhparent = 'predictions'::regclass AND part.relname ~ '_[0-9]{8}$'
            UNION
            SELECT (time AT TIME ZONE 'UTC')::date FROM predictions_default
        ) AS days CROSS JOIN LATERAL live_accuracy_between(
            days.day::timestamp AT TIME ZONE 'UTC', (days.day + 1)::timestamp AT TIME ZONE 'UTC'
        ) AS found
    """)


def downgrade() -> None:
    """Remove the view and its functions."""
    op.execute("DROP VIEW live_accuracy")
    op.execute("DROP FUNCTION live_accuracy_between")
    op.execute("DROP FUNCTION first_id_of")
    op.execute("DROP FUNCTION wilson_bound")
