"""The server of a model, to which labels are sent."""

import contextlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import tenacity

from taxon_cli.kubectl import forwarded, status_url
from taxon_cli.local.ports import HOST

ANSWER_SECONDS = 30
REACHED_SECONDS = 3
PATIENCE_SECONDS = 60.0
"""How long a request is tried."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
SERVICE_PORT = 80
LONGEST_SHOWN = 300
PASSING = {429, 502, 503, 504}
"""Statuses after which the same request may succeed."""


class ServerError(Exception):
    """The server takes no labels; the message is one sentence with the remedy."""


class _Busy(Exception):  # noqa: N818 - a state that passes
    """Worth trying again, after the seconds the server asks for, if it does."""

    def __init__(self, sentence: str, seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class LabelServer:
    """Sends labels to one path, again and again where that can help."""

    def __init__(self, url: str) -> None:
        """Take the URL of the endpoint, http or https."""
        self._url = url
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Busy),
            stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
            wait=_pause,
            reraise=True,
        )

    def send(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what became of each label.

        Raises:
            ServerError: the server did not take them in time, or refuses the request.
        """
        body = json.dumps({"labels": items}).encode()
        try:
            answer = self._retrying(self._post, body)
            results: list[dict[str, Any]] = answer["results"]
        except _Busy as error:
            raise ServerError(f"{self._url}: {error}: load the file again later") from error
        except (KeyError, TypeError) as error:
            raise ServerError(f"{self._url} did not answer as a Taxon server: check it") from error
        return results

    def _post(self, body: bytes) -> Any:
        request = urllib.request.Request(  # noqa: S310 - it is HTTP
            self._url, body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _of_answer(self._url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Busy(f"it does not answer ({getattr(error, 'reason', error)})") from error
        except ValueError as error:
            raise ServerError(f"{self._url} did not answer with JSON: check the URL") from error


def _of_answer(url: str, error: urllib.error.HTTPError) -> _Busy | ServerError:
    """Return the error for an answer that is not 200."""
    with error:
        said = error.read(LONGEST_SHOWN * 4).decode(errors="replace")
    with contextlib.suppress(ValueError, AttributeError):
        document = json.loads(said)
        said = str(document.get("error") or document.get("detail") or said)
    sentence = f"it answers {error.code} ({said[:LONGEST_SHOWN].strip()})"
    if error.code not in PASSING:
        return ServerError(f"{url}: {sentence}")
    after = error.headers.get("Retry-After", "")
    return _Busy(sentence, float(after) if after.isdecimal() else 0.0)


def _pause(state: tenacity.RetryCallState) -> float:
    """Return how many seconds to wait before the next try."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _Busy) else 0.0
    grown: float = FIRST_PAUSE_SECONDS * 2 ** (state.attempt_number - 1)
    return min(max(asked, grown), LONGEST_PAUSE_SECONDS)


@contextlib.contextmanager
def server_of_model(namespace: str, model: str) -> Iterator[LabelServer]:
    """Yield the server of a model in the cluster: at its URL, else through a forwarded port.

    Raises:
        ClusterError: kubectl is missing, or there is no such model.
    """
    path = f"/v2/models/{model}/labels"
    url = status_url(namespace, model)
    if url and _answers(url):
        yield LabelServer(url.rstrip("/") + path)
        return
    otherwise = "pass a --url that you can reach"
    with forwarded(namespace, model, SERVICE_PORT, otherwise=otherwise) as port:
        yield LabelServer(f"http://{HOST}:{port}{path}")


def _answers(url: str) -> bool:
    """Return whether this machine reaches a server at a URL."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/v2", timeout=REACHED_SECONDS):  # noqa: S310 - a model's URL
            return True
    except (OSError, ValueError, http.client.HTTPException):
        return False
