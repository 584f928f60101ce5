"""The command group `taxon dataset` and its arguments."""

import argparse
from collections.abc import Callable
from pathlib import Path

CODES = (
    "exit codes: 0 done; 1 the cluster, the database or the object store failed; 2 wrong arguments"
    " or file; 3 refused, because a model uses it"
)
WHERE = (
    " The database is that of DATABASE_URL; or, with --namespace, of a Secret in the cluster of"
    " kubectl's context; or local mode's in .taxon/local below the current folder."
)


def add_dataset(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group to the command."""
    group = parts.add_parser("dataset", help="tables with versions in the database")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    _add_load(_verb(verbs, "load", "load a CSV or Parquet file as a version, if it is a new one"))
    _add_list(_verb(verbs, "list", "list the data sets"))
    _add_show(_verb(verbs, "show", "show versions, columns and who uses them"))
    _add_export(_verb(verbs, "export", "write a version to a CSV or Parquet file"))
    _add_diff(_verb(verbs, "diff", "show what a version changes of another"))
    _add_delete(_verb(verbs, "delete", "delete a version, or all, unless a model uses it"))


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, sentence: str
) -> argparse.ArgumentParser:
    description = f"{sentence[0].upper()}{sentence[1:]}.{WHERE}"
    verb = verbs.add_parser(name, help=sentence, description=description, epilog=CODES)
    verb.add_argument("--namespace", "-n", metavar="NAMESPACE", help="namespace of the models")
    verb.set_defaults(carry_out=_carry_out)
    return verb


def _add_load(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="load")
    verb.add_argument("name", metavar="NAME", help="name of the data set")
    verb.add_argument("file", metavar="FILE|s3://BUCKET/KEY", help="CSV or Parquet file")


def _add_list(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="list")
    _add_output(verb)


def _add_show(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="show")
    verb.add_argument("name", metavar="NAME", help="name of the data set")
    verb.add_argument("--version", type=number, metavar="N", help="default: the newest")
    _add_output(verb)


def _add_export(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="export")
    verb.add_argument("name", metavar="NAME", help="name of the data set")
    verb.add_argument("file", type=Path, metavar="FILE", help="its suffix names the format")
    verb.add_argument("--version", type=number, metavar="N", help="default: the newest")


def _add_diff(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="diff")
    verb.add_argument("name", metavar="NAME", help="name of the data set")
    verb.add_argument("before", type=number, metavar="V1", help="version")
    verb.add_argument("after", type=number, metavar="V2", help="version")
    verb.add_argument("--target", metavar="COLUMN", help="show the shares of its classes")
    _add_output(verb)


def _add_delete(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(verb="delete")
    verb.add_argument("name", metavar="NAME", help="name of the data set")
    verb.add_argument("--version", type=number, metavar="N", help="default: all versions")
    verb.add_argument("--yes", action="store_true", help="do not ask")


def _add_output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--output", "-o", choices=("json",), help="print JSON instead of a table")


def number(text: str) -> int:
    """Return the number of a version."""
    version = int(text)
    if version < 1:
        raise argparse.ArgumentTypeError("versions are numbered from 1")
    return version


def _carry_out(options: argparse.Namespace) -> int:
    from taxon_cli.dataset import verbs  # noqa: PLC0415 - SQL takes a while to import

    carry_out: Callable[[argparse.Namespace], int] = verbs.carry_out
    return carry_out(options)
