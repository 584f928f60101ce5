"""Exit codes of the command."""

import sys

DONE = 0
MACHINE = 1
"""Something on this machine failed: a port in use, a program that did not start."""
USAGE = 2
"""The arguments or the file are wrong."""
REFUSED = 3
"""The gate refused the version, or a server some labels."""


def fail(code: int, sentence: str) -> int:
    """Print the reason on standard error; return the exit code."""
    sys.stderr.write(f"taxon: {sentence}\n")
    return code


def say(sentence: str) -> None:
    """Print what was done on standard error."""
    sys.stderr.write(f"taxon: {sentence}\n")
