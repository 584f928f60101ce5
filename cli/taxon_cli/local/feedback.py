"""What a client does once the truth is known: rows of the table are predicted, then labelled."""

import csv
import io
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from taxon_bundle.codec import Value, is_missing
from taxon_cli.labels.server import LabelServer, ServerError
from taxon_cli.local.processes import POLL_SECONDS, ProcessFailed
from taxon_cli.local.questions import plain_question
from taxon_cli.local.serving import Server
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import ClassifierModel
from taxon_datastore.accuracy import LiveAccuracy, accuracy_by_day
from taxon_datastore.database import engine
from taxon_datastore.known_predictions import find_predictions

ROWS = 100
LABELLED_OF = 4
"""Of this many rows one gets no label: in use, the truth is not known of each."""
DATABASE_SECONDS = 10
TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Feedback:
    """How many rows were predicted and labelled, what became of the labels, and the figures."""

    predicted: int
    outcomes: Mapping[str, int]
    figures: Sequence[tuple[date, LiveAccuracy]]


def give_feedback(
    model: ClassifierModel,
    features: Sequence[SignatureFeature],
    content: bytes,
    server: Server,
    database_url: str,
) -> Feedback:
    """Predict rows of a CSV table, label most of them, and return what the database says then.

    Raises:
        ProcessFailed: the server refuses them, or the database does not have them in time.
    """
    names = model.metadata
    place = {"namespace": names.namespace, "model": names.name}
    database = engine(database_url)
    rows = _spread(content.decode("utf-8-sig"))
    questions = [_question(row, features) for row in rows]
    answers = server.post("/predict-batch", {"rows": questions}).answer["predictions"]
    ids = [UUID(answer["prediction_id"]) for answer in answers]
    _await(
        "predictions",
        lambda: (
            len(find_predictions(database, **place, ids=ids, request_ids=[]).models) == len(ids)
        ),
    )
    truths = [row[model.spec.dataset.target] for row in rows]
    outcomes = _label(server, names.name, ids, truths)

    def figures() -> Sequence[tuple[date, LiveAccuracy]]:
        return accuracy_by_day(database, **place, days=2)

    _await("labels", lambda: sum(one.labelled for _, one in figures()) >= sum(outcomes.values()))
    return Feedback(len(rows), outcomes, figures())


def _label(
    server: Server, model: str, ids: Sequence[UUID], truths: Sequence[str]
) -> Mapping[str, int]:
    """Send the truth of most predictions; return how many labels had which outcome."""
    items = [
        {"prediction_id": str(identifier), "label": truth, "submitter": "taxon local"}
        for place, (identifier, truth) in enumerate(zip(ids, truths, strict=True))
        if place % LABELLED_OF
    ]
    try:
        results = LabelServer(f"{server.url}/v2/models/{model}/labels").send(items)
    except ServerError as error:
        raise ProcessFailed(str(error)) from error
    return Counter(one["outcome"] for one in results)


def _await(what: str, arrived: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DATABASE_SECONDS
    while not arrived():
        if time.monotonic() > deadline:
            raise ProcessFailed(f"the {what} did not reach PostgreSQL in {DATABASE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _spread(text: str) -> list[dict[str, str]]:
    """Return some rows from all over a table."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return rows[:: max(len(rows) // ROWS, 1)][:ROWS]


def _question(row: Mapping[str, str], features: Sequence[SignatureFeature]) -> dict[str, Value]:
    return plain_question([_value(row[one.name].strip(), one) for one in features], features)


def _value(cell: str, feature: SignatureFeature) -> Value:
    """Return a cell as a client sends it."""
    if is_missing(cell):
        return None
    match feature.type:
        case "Boolean":
            return TRUTH.get(cell.lower(), cell)
        case "Numeric":
            return float(cell)
        case _:
            return cell
