"""A bundle in the cluster's object store, served by KServe with Taxon's runtime."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus

import numpy as np
import pytest
from support import by_hand
from support.by_hand import Outside, Served
from support.kubectl import apply, delete, output_of, prometheus_value, restricted_warnings
from support.waiting import wait_until

from taxon_bundle.classifier import Classifier

ROWS = [[0.1, 0.2, 7.0], [1.2, 2.1, 7.0], [0.5, 1.0, 7.0]]
SPLIT_REQUESTS = 500


@pytest.fixture
def outside(request: pytest.FixtureRequest, versions: tuple[Served, Served]) -> Iterator[Outside]:
    """Return a client of a route over both versions; the parameter is the weight of each."""
    weights = dict(zip([served.service for served in versions], request.param, strict=True))
    name = f"{versions[0].name}-{request.param[0]}"
    route = by_hand.route(name, versions[0].namespace, weights)
    apply(route)
    with closing(Outside(f"{name}.test")) as client:
        path = f"/v2/models/{by_hand.MODEL}/ready"
        wait_until(lambda: client.status(path) == HTTPStatus.OK, seconds=60, every=0.2)
        yield client
    delete(route)


@pytest.mark.parametrize("outside", [(1, 0)], indirect=True, ids=["to the first version"])
def test_the_gateway_gives_scikit_learns_answer(
    outside: Outside, versions: tuple[Served, Served]
) -> None:
    """A client outside the cluster gets the classifier's own answer from the version asked for."""
    bundle = versions[0].bundle
    answer = outside.infer(ROWS)
    expected = Classifier.load(bundle).probabilities(np.array(ROWS))
    assert answer["model_name"] == by_hand.MODEL
    assert answer["model_version"] == bundle.manifest.version
    assert by_hand.output(answer, "probabilities") == expected.ravel().tolist()


def test_the_service_answers_inside(versions: tuple[Served, Served]) -> None:
    """A pod of the cluster gets the version's answer through the Service KServe made."""
    served = versions[1]
    url = f"http://{served.service}/v2/models/{by_hand.MODEL}/infer"
    body = json.dumps(by_hand.infer_request(ROWS))
    script = (
        "import urllib.request\n"
        f"request = urllib.request.Request({url!r}, {body!r}.encode(),"
        " {'Content-Type': 'application/json'})\n"
        "print(urllib.request.urlopen(request, timeout=10).read().decode())\n"
    )
    pod = by_hand.asking_pod(f"ask-{served.name}", served, script)
    answer = json.loads(output_of(pod, seconds=60))
    assert answer["model_version"] == served.bundle.manifest.version


def test_prometheus_scrapes_every_server(versions: tuple[Served, Served]) -> None:
    """Prometheus finds the pods of both versions by their labels and reads their figures."""
    pods = "|".join(f"{served.service}-.*" for served in versions)
    query = f'count(up{{pod=~"{pods}"}} == 1) == {len(versions)}'
    assert prometheus_value(query, seconds=90) == len(versions)


def test_a_restricted_namespace_would_take_the_pods(versions: tuple[Served, Served]) -> None:
    """With all that KServe adds, the pods keep to Pod Security's strictest level."""
    warnings = restricted_warnings(versions[0].namespace)
    assert not [served.name for served in versions if served.name in warnings]


@pytest.mark.parametrize("outside", [(70, 30)], indirect=True, ids=["70 to 30"])
def test_a_route_splits_traffic_by_weight(
    outside: Outside, versions: tuple[Served, Served]
) -> None:
    """Of 500 requests to one host, 70 in a hundred reach one version, within ten points."""
    counted = Counter(outside.infer(ROWS[:1])["model_version"] for _ in range(SPLIT_REQUESTS))
    share = 100 * counted[versions[0].bundle.manifest.version] / SPLIT_REQUESTS
    assert counted.total() == SPLIT_REQUESTS
    assert share == pytest.approx(70, abs=10)
