"""The endpoints for labels: what was observed of predictions, below V2's paths and plain."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from taxon_model_server.errors import InvalidFields, InvalidInput, NotLogged, Problem
from taxon_model_server.labels.intake import OUTCOMES, Judged, LabelIntake
from taxon_model_server.memory import MemoryBudget
from taxon_model_server.rest.bodies import Intake
from taxon_model_server.rest.transport import PredictionEndpoint, json_response
from taxon_model_server.rest.v2 import MODEL_PATHS
from taxon_model_server.state import ServerState

PLAIN_PATH = "/labels"
BYTES_PER_BYTE = 24
"""Memory that a byte of a request may take as objects, rows and answer."""


def label_routes(
    state: ServerState, intake: Intake, budget: MemoryBudget, labels: LabelIntake | None
) -> list[BaseRoute]:
    """Return the route table; without labels every request is refused."""
    endpoints = LabelEndpoints(state, intake, labels)
    return [
        *(PredictionEndpoint(f"{path}/labels", endpoints.of_model, budget) for path in MODEL_PATHS),
        PredictionEndpoint(PLAIN_PATH, endpoints.plain, budget),
    ]


def label_memory(size: int) -> int:
    """Return how many bytes answering a request with a body of some bytes may take."""
    return BYTES_PER_BYTE * size


class LabelEndpoints:
    """Both forms of the same call."""

    def __init__(self, state: ServerState, intake: Intake, labels: LabelIntake | None) -> None:
        self._state = state
        self._intake = intake
        self._labels = labels

    async def of_model(self, request: Request) -> Response:
        """Take labels of the model that the path names."""
        self._state.check_name(request.path_params["model"], request.path_params.get("version"))
        return await self._take(request)

    async def plain(self, request: Request) -> Response:
        """Take labels of the one model; errors have the form of the plain endpoints."""
        try:
            return await self._take(request)
        except InvalidInput as error:
            raise InvalidFields([Problem((), str(error), "value_error")]) from error

    async def _take(self, request: Request) -> Response:
        body = await self._intake.body(request)
        if self._labels is None:
            raise NotLogged(
                f"the predictions of model {self._state.name!r} are not logged, so labels have"
                " nothing to be about: set spec.serving.predictionLog.mode to Full or"
                " WithoutFeatures, and give the server a database"
            )
        return json_response([orjson.dumps(answer(await self._labels.take(body)))])


def answer(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the answer: how many items had each outcome, and each item's."""
    counts = Counter(one.outcome for one in judged)
    results = [
        {"index": index, "outcome": one.outcome} | ({"reason": one.reason} if one.reason else {})
        for index, one in enumerate(judged)
    ]
    return {outcome: counts[outcome] for outcome in OUTCOMES} | {"results": results}
