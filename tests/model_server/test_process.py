import http.client
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model_server.serving import ServerProcess, serving
from support.waiting import wait_until

from taxon_bundle.bundle import Bundle

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def demo(forest: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server of a forest like the demo's, with a log whose database is down."""
    folder = tmp_path_factory.mktemp("demo")
    database = "postgresql://nobody@127.0.0.1:1/none"
    with serving(forest, folder, database_url=database, spool_folder=str(folder)) as server:
        yield server


def test_the_demos_kind_of_model_stays_small(demo: ServerProcess) -> None:
    """With such a model, and the log's libraries loaded, it holds less than 150 MB."""
    demo.ask("/predict", {})
    wait_until(lambda: demo.has_logged("prediction_log_stalled"))

    assert demo.resident_bytes() < 150e6


def test_sigterm_ends_in_order(bundle: Bundle, tmp_path: Path) -> None:
    """After SIGTERM: unready at once, accepting while it drains, then exit 0."""
    with serving(bundle, tmp_path, drain_seconds="0.5") as server:
        server.send(signal.SIGTERM)
        wait_until(lambda: server.ask("/v2/health/ready")[0] == http.client.SERVICE_UNAVAILABLE)
        drained = server.ask("/predict", ROW)
        code = server.wait_end()

    assert drained[0] == http.client.OK
    assert code == 0
    assert [line["event"] for line in server.log_lines()] == ["listening", "ready", "stopped"]


def test_an_impatient_second_signal_is_heard(bundle: Bundle, tmp_path: Path) -> None:
    """A second signal ends the wait for those who route here."""
    with serving(bundle, tmp_path, drain_seconds="3600") as server:
        server.send(signal.SIGTERM)
        wait_until(lambda: server.ask("/health")[1]["status"] == "draining")
        server.send(signal.SIGINT)

        assert server.wait_end() == 0


def test_what_is_under_way_is_finished(bundle: Bundle, tmp_path: Path) -> None:
    """A request that began before the end is answered."""
    body = json.dumps({"rows": [ROW]})
    with serving(bundle, tmp_path) as server:
        connection = http.client.HTTPConnection(server.address, timeout=20)
        connection.putrequest("POST", "/predict-batch")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:10].encode())
        wait_until(lambda: server.ask("/v2/health/live")[0] == http.client.OK)
        server.send(signal.SIGTERM)
        connection.send(body[10:].encode())

        assert connection.getresponse().status == http.client.OK
        assert server.wait_end() == 0
        connection.close()


def test_a_log_without_a_folder_does_not_stop_the_server(bundle: Bundle, tmp_path: Path) -> None:
    """With a spool folder that cannot be used it serves, says so, and counts what is dropped."""
    (tmp_path / "file").touch()
    spool = str(tmp_path / "file" / "spool")
    database = "postgresql://nobody@127.0.0.1:1/none"
    with serving(bundle, tmp_path, database_url=database, spool_folder=spool) as server:
        code, _ = server.ask("/predict", ROW)
        dropped = server.metric('prediction_log_dropped_total{reason="spool_failed"}')
        line = server.log_line("prediction_log_unusable")

    assert code == http.client.OK
    assert dropped == 1
    assert line["level"] == "error"
    assert f"spool folder {spool} cannot be used" in line["reason"]


@pytest.fixture(scope="module")
def shared(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server that takes bodies of up to a mebibyte."""
    folder = tmp_path_factory.mktemp("server")
    with serving(bundle, folder, max_body_bytes=str(MEBIBYTE)) as server:
        yield server


def test_a_body_over_the_limit_is_refused_while_it_is_sent(shared: ServerProcess) -> None:
    """Over a real connection a body over the limit gets its 413, and the connection goes on."""
    connection = http.client.HTTPConnection(shared.address, timeout=20)
    codes = []
    for body in (b" " * 3 * MEBIBYTE, json.dumps(ROW).encode()):
        connection.request("POST", "/predict", body)
        answer = connection.getresponse()
        answer.read()
        codes.append(answer.status)
    connection.close()

    assert codes == [413, 200]


def test_many_clients_at_once_get_their_own_answers(shared: ServerProcess) -> None:
    """Requests answered in threads and on the loop at once do not mix."""

    def wrong_answers(length: float, rows: int) -> int:
        row = ROW | {"length": length, "width": 2 * length}
        expected = shared.ask("/predict", row)[1]["prediction"]
        answers = [shared.ask("/predict-batch", {"rows": [row] * rows})[1] for _ in range(5)]
        labels = [[one["prediction"] for one in answer["predictions"]] for answer in answers]
        return sum(found != [expected] * rows for found in labels)

    with ThreadPoolExecutor(4) as clients:
        wrong = clients.map(wrong_answers, (0.0, 1.1, 0.0, 1.1), (1, 400, 400, 1))

        assert list(wrong) == [0, 0, 0, 0]
