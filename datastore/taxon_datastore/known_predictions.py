"""Which predictions the log has: by their ids, and by the ids of their requests."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.prediction_names import Answers, KnownPredictions, time_of

BY_ID = text("""
    SELECT asked.id, found.model
    FROM unnest(CAST(:ids AS uuid[]), CAST(:times AS timestamptz[])) AS asked (id, made)
    CROSS JOIN LATERAL (
        SELECT model FROM predictions
        WHERE id = asked.id AND namespace = :namespace
            AND time >= asked.made - interval '1 hour' AND time < asked.made + interval '1 hour'
        LIMIT 1
    ) AS found
""")
"""Looks into the partitions around the time in an id only: LIMIT makes it one look for each id."""
BY_REQUEST = text("""
    SELECT request_id, count(*), min(CAST(id AS text))
    FROM predictions
    WHERE namespace = :namespace AND model = :model
        AND request_id = ANY(CAST(:request_ids AS text[]))
        AND outcome = 'Answered' AND NOT mirrored
    GROUP BY request_id
""")


def find_predictions(
    engine: Engine,
    *,
    namespace: str,
    model: str,
    ids: Sequence[UUID],
    request_ids: Sequence[str],
) -> KnownPredictions:
    """Return what is known of some ids.

    Args:
        engine: the database.
        namespace: the namespace of the predictions; those of others are not found.
        model: the model of the requests; predictions are found whichever model they are of.
        ids: ids of predictions, UUIDs of version 7.
        request_ids: what clients called their requests.

    Raises:
        DatabaseUnavailable: worth trying again, also if the schema is older.
    """
    with transaction(engine) as connection:
        return KnownPredictions(
            _by_id(connection, namespace, ids) if ids else {},
            _by_request(connection, namespace, model, request_ids) if request_ids else {},
        )


def _by_id(connection: Connection, namespace: str, ids: Sequence[UUID]) -> dict[UUID, str]:
    asked = {
        "ids": [str(one) for one in ids],
        "times": [time_of(one) for one in ids],
        "namespace": namespace,
    }
    return {UUID(str(identifier)): model for identifier, model in connection.execute(BY_ID, asked)}


def _by_request(
    connection: Connection, namespace: str, model: str, request_ids: Sequence[str]
) -> dict[str, Answers]:
    asked = {"namespace": namespace, "model": model, "request_ids": list(request_ids)}
    return {
        request_id: Answers(count, UUID(one))
        for request_id, count, one in connection.execute(BY_REQUEST, asked)
    }
