"""How the command ends."""

import sys

DONE = 0
MACHINE = 1
"""Something of this machine is at fault: a taken port, a part that did not start."""
USAGE = 2
"""The call or the file it names is at fault."""
REFUSED = 3
"""The gate refused the version."""


def fail(code: int, sentence: str) -> int:
    """Say why on standard error; return the exit code."""
    sys.stderr.write(f"taxon: {sentence}\n")
    return code
