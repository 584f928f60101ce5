"""`taxon`: run models on this machine, store tables for training, and send labels."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from taxon_cli import exits
from taxon_cli.dataset.command import add_dataset
from taxon_cli.labels.command import add_labels
from taxon_cli.resource_file import BadFile, read_model
from taxon_cli.signals import Interrupted, interruptible

DEFAULT_PORT = 8000
LAST_PORT = 65_535
RUN_CODES = (
    "exit codes: 0 served; 1 a program or port on this machine failed; 2 wrong arguments or file;"
    " 3 the gate refused the version; 65 training failed, another try cannot help; 75 training"
    " failed, try again"
)
PUT_CODES = (
    "exit codes: 0 stored; 1 the cluster or the object store failed; 2 wrong arguments or file"
)
TABLES_SECRET = "taxon-tables"  # noqa: S105 - the name of a Secret


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    options = _parser().parse_args(arguments)
    carry_out: Callable[[argparse.Namespace], int] = options.carry_out
    try:
        with interruptible():
            sys.exit(carry_out(options))
    except Interrupted as interruption:
        sys.exit(128 + interruption.number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taxon", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    local = parts.add_parser("local", help="run a model on this machine, without a cluster")
    _add_run(local.add_subparsers(required=True, metavar="VERB"))
    table = parts.add_parser("table", help="tables in the object store")
    _add_put(table.add_subparsers(required=True, metavar="VERB"))
    add_dataset(parts)
    add_labels(parts)
    return parser


def _add_run(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = verbs.add_parser(
        "run",
        help="train, gate and serve a model from its YAML",
        description="Train, gate and serve a model from its YAML. State is kept in .taxon/local"
        " below the current folder.",
        epilog=RUN_CODES,
    )
    run.set_defaults(carry_out=_run_local)
    run.add_argument("file", type=Path, metavar="FILE.yaml", help="a ClassifierModel")
    run.add_argument(
        "--data",
        type=Path,
        metavar="TABLE",
        help="CSV or Parquet file: instead of dataset.uri, or a new version of dataset.table",
    )
    run.add_argument("--keep", action="store_true", help="serve until Ctrl-C")
    run.add_argument(
        "--port", type=port, default=DEFAULT_PORT, help="port of the server; 0: any (%(default)s)"
    )


def _add_put(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    put = verbs.add_parser(
        "put",
        help="store a CSV or Parquet file for training",
        description="Store a CSV or Parquet file in object storage and print its URI. Keys come"
        " from the environment (AWS_*) or, with --namespace, from a Secret in the cluster of"
        " kubectl's context; a store inside that cluster is reached through kubectl port-forward.",
        epilog=PUT_CODES,
    )
    put.set_defaults(carry_out=_put_table)
    put.add_argument("file", type=Path, metavar="TABLE", help="CSV or Parquet file")
    put.add_argument(
        "uri",
        nargs="?",
        metavar="s3://BUCKET/KEY",
        help="its URI; with --namespace, by default s3://tables/NAMESPACE/ and the file's name",
    )
    put.add_argument("--namespace", "-n", help="namespace of the model, to use its Secret")
    put.add_argument(
        "--secret", default=TABLES_SECRET, help="Secret of that namespace (%(default)s)"
    )
    put.add_argument("--replace", action="store_true", help="overwrite another table")


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
        return exits.fail(exits.USAGE, str(error))
    from taxon_cli.local.run import Call, run_local  # noqa: PLC0415 - S3 and SQL take a second to import; a bad file is reported at once

    return run_local(model, Call(options.file, options.data, options.keep, options.port))


def _put_table(options: argparse.Namespace) -> int:
    from taxon_cli.table import Call, put_table  # noqa: PLC0415 - S3 takes a second to import

    return put_table(
        Call(options.file, options.uri, options.namespace, options.secret, options.replace)
    )


if __name__ == "__main__":
    main()
