"""How a run fails: with a reason for programs and one sentence for a person."""

from typing import get_args

from taxon_contracts.run import EXIT_FINAL, EXIT_RETRYABLE, FinalReason, RetryableReason


class RunFailed(Exception):  # noqa: N818 - the run failed; the trainer works
    """A run failed; the message says what to change."""

    def __init__(self, reason: FinalReason | RetryableReason, message: str) -> None:
        super().__init__(message)
        self.reason: FinalReason | RetryableReason = reason
        self.message = message

    @property
    def exit_code(self) -> int:
        """Return the exit code: the run would fail again, or another attempt may succeed."""
        return EXIT_FINAL if self.reason in get_args(FinalReason) else EXIT_RETRYABLE
