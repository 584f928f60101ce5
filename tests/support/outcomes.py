"""How a training Job may end: what the trainer leaves in its pod."""

from collections.abc import Callable

from taxon_contracts.run import RunRequest, RunResult
from taxon_kube.api import Manifest

DIGEST = "sha256:" + "5" * 64

Outcome = Callable[[RunRequest, int], Manifest]
"""Returns the state of the pod's container, for a run and the number of its attempt."""


def accepted(request: RunRequest, _attempt: int) -> Manifest:
    """Return the pod state of a run whose version passed the gate."""
    return ended(result(request, "Accepted", "LimitsMet", "0.8 <= roc_auc 0.9900"))


def leaving_out(columns: str) -> Outcome:
    """Return the outcome of a run that passes the gate and says which columns it left out."""

    def outcome(request: RunRequest, _attempt: int) -> Manifest:
        message = f"0.8 <= roc_auc 0.9900; left out: {columns}"
        return ended(result(request, "Accepted", "LimitsMet", message))

    return outcome


def refused(request: RunRequest, _attempt: int) -> Manifest:
    """Return the pod state of a run whose version the gate refused."""
    message = "roc_auc 0.7000 is below the limit 0.8"
    return ended(result(request, "Refused", "LimitNotMet", message, value=0.7))


def failed(reason: str, message: str = "the reason in one sentence") -> Outcome:
    """Return the outcome of a run that fails with a reason."""

    def outcome(request: RunRequest, _attempt: int) -> Manifest:
        result = RunResult.model_validate(
            {
                "version": request.version,
                "outcome": "Failed",
                "reason": reason,
                "message": message,
            }
        )
        return ended(result, exit_code=75)

    return outcome


def lost(_request: RunRequest, _attempt: int) -> Manifest:
    """Return the pod state of a pod whose node went away."""
    return {}


def out_of_memory(_request: RunRequest, _attempt: int) -> Manifest:
    """Return the pod state of a container that was killed for its memory."""
    return {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def ended(result: RunResult, *, exit_code: int = 0) -> Manifest:
    """Return the state of a container that left a result."""
    return {"terminated": {"exitCode": exit_code, "message": result.encode()}}


def result(
    request: RunRequest, outcome: str, reason: str, message: str, *, value: float = 0.99
) -> RunResult:
    """Return the trainer's answer for a version with a bundle."""
    figures = [
        {"name": name, "value": value, "low": value - 0.01, "high": 1.0}
        for name in ("roc_auc", "accuracy")
    ]
    return RunResult.model_validate(
        {
            "version": request.version,
            "outcome": outcome,
            "reason": reason,
            "message": message,
            "bundle_uri": request.destination,
            "manifest_digest": DIGEST,
            "metrics": figures,
        }
    )
