"""`taxon-train`: carry out a run request, write the result, exit with its code.

`taxon-train --remove URI` removes what runs have written: the controller's clean-up Jobs call it.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from taxon_bundle.removal import remove_below
from taxon_bundle.storage import StorageDenied, StorageError
from taxon_contracts import logs
from taxon_contracts.document import read
from taxon_contracts.run import (
    EXIT_FINAL,
    RUN_VARIABLE,
    RunRequest,
    RunResult,
)
from taxon_training_job.failure import RunFailed
from taxon_training_job.progress import Progress, quiet_libraries
from taxon_training_job.settings import Settings


def main() -> None:
    """Run the command; exit 0 (Accepted or Refused), 65 (final) or 75 (try again)."""
    end_when_asked()
    logs.configure()
    parser = argparse.ArgumentParser(prog="taxon-train", description=__doc__)
    parser.add_argument("--run", type=Path, help=f"run request file; default: ${RUN_VARIABLE}")
    parser.add_argument("--result", type=Path, help="file for the result")
    parser.add_argument(
        "--remove", metavar="URI", nargs="+", help="remove a model's or version's folders"
    )
    arguments = parser.parse_args()
    if arguments.remove:
        sys.exit(max(remove(uri) for uri in arguments.remove))
    settings = Settings()
    result_file = arguments.result or settings.result
    try:
        request = read_request(arguments.run, settings)
    except RunFailed as failure:
        sys.exit(_report_failure(failure, None, Progress(), result_file))
    sys.exit(train(request, result_file, settings))


def end_when_asked() -> None:
    """End at once on SIGTERM: a run can be killed anywhere and has nothing to finish.

    The first process of a container ignores signals it has no handler for. A run whose model was
    deleted would continue until its grace period is over, and write a bundle after the others were
    removed.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))


def remove(uri: str) -> int:
    """Remove the bundles below a folder; return the exit code."""
    try:
        count = remove_below(uri)
    except StorageError as error:
        failure = _storage_failure(error)
        Progress().failure(failure.reason, failure.message)
        return failure.exit_code
    except ValueError as error:
        Progress().failure("InvalidRun", str(error))
        return EXIT_FINAL
    Progress().event("Removed", uri=uri, objects=count)
    return 0


def read_request(file: Path | None, settings: Settings) -> RunRequest:
    """Return the run request from a file, else from the environment.

    Raises:
        RunFailed: there is none, or it is not valid; the message names the field.
    """
    try:
        text = file.read_bytes() if file else settings.run
    except OSError as error:
        raise RunFailed("InvalidRun", f"{file} cannot be read ({error.strerror})") from error
    if not text:
        raise RunFailed("InvalidRun", f"no run request: pass --run FILE or set {RUN_VARIABLE}")
    try:
        return read(RunRequest, text)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise RunFailed("InvalidRun", f"run request: {path}: {first['msg']}") from error


def train(request: RunRequest, result_file: Path, settings: Settings) -> int:
    """Carry out a run and write its result; return the exit code."""
    from taxon_training_job.run import carry_out  # noqa: PLC0415 - scikit-learn takes a second; a bad request is reported at once
    from taxon_training_job.tracking import track  # noqa: PLC0415

    quiet_libraries()
    progress = Progress(model=f"{request.namespace}/{request.model}", version=request.version)
    try:
        url = settings.database_url.get_secret_value() if settings.database_url else None
        outcome = carry_out(request, progress, database_url=url)
    except RunFailed as failure:
        return _report_failure(failure, request, progress, result_file)
    except StorageError as error:
        return _report_failure(_storage_failure(error), request, progress, result_file)
    except Exception as error:  # noqa: BLE001 - the controller needs a result for every error
        unknown = RunFailed("InternalError", f"{type(error).__name__}: see the trainer's log")
        return _report_failure(unknown, request, progress, result_file, cause=error)
    write_result(outcome.result, result_file)
    track(request, outcome, progress, settings)
    return 0


def _storage_failure(error: StorageError) -> RunFailed:
    if isinstance(error, StorageDenied):
        return RunFailed("StorageDenied", str(error))
    return RunFailed("StorageUnavailable", str(error))


def _report_failure(
    failure: RunFailed,
    request: RunRequest | None,
    progress: Progress,
    result_file: Path,
    *,
    cause: Exception | None = None,
) -> int:
    progress.failure(failure.reason, failure.message, cause)
    result = RunResult(
        version=request.version if request else None,
        outcome="Failed",
        reason=failure.reason,
        message=failure.message,
    )
    write_result(result, result_file)
    return failure.exit_code


def write_result(result: RunResult, file: Path) -> None:
    """Write the result in place: the termination log is a mounted file that cannot be replaced."""
    try:
        file.write_text(f"{result.encode()}\n")
    except OSError as error:
        Progress().failure(
            "ResultNotWritten", f"{file}: {error.strerror}; the result is {result.encode()}"
        )


if __name__ == "__main__":
    main()
