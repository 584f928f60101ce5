"""`taxon`: run models on one machine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from taxon_cli import exits
from taxon_cli.resource_file import BadFile, read_model
from taxon_cli.signals import Interrupted, interruptible

DEFAULT_PORT = 8000
LAST_PORT = 65_535
EXIT_CODES = (
    "exit codes: 0 served; 1 this machine is at fault; 2 the call or the file is; 3 the gate"
    " refused the version; 65 training failed for good; 75 training may be tried again"
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        with interruptible():
            sys.exit(_run_local(options))
    except Interrupted as interruption:
        sys.exit(128 + interruption.number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taxon", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    local = parts.add_parser("local", help="run a model on this machine, without a cluster")
    verbs = local.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser(
        "run",
        help="train, gate and serve a model from its YAML",
        description="Train, gate and serve a model from its YAML; what is kept stands in"
        " .taxon/local below the current folder.",
        epilog=EXIT_CODES,
    )
    run.add_argument("file", type=Path, metavar="FILE.yaml", help="a ClassifierModel")
    run.add_argument(
        "--data", type=Path, metavar="TABLE", help="CSV or Parquet file instead of dataset.uri"
    )
    run.add_argument("--keep", action="store_true", help="serve until Ctrl-C")
    run.add_argument(
        "--port", type=port, default=DEFAULT_PORT, help="port of the server; 0: any (%(default)s)"
    )
    return parser


def port(text: str) -> int:
    """Return a port, 0 for any."""
    number = int(text)
    if not 0 <= number <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is at most {LAST_PORT}")
    return number


def _run_local(options: argparse.Namespace) -> int:
    try:
        model = read_model(options.file)
    except BadFile as error:
        return exits.tell(exits.USAGE, str(error))
    from taxon_cli.local.run import Call, run_local  # noqa: PLC0415 - S3 and SQL take a second; a bad file is told at once

    return run_local(model, Call(options.file, options.data, options.keep, options.port))


if __name__ == "__main__":
    main()
