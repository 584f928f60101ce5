"""The command group `taxon labels` and its arguments."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

LOAD_CODES = (
    "exit codes: 0 all labels are kept; 1 the server or the cluster failed; 2 wrong arguments or"
    " file; 3 labels were refused, each with its line and the reason"
)


def add_labels(parts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group to the command."""
    labels = parts.add_parser("labels", help="what was observed of predictions")
    verbs = labels.add_subparsers(required=True, metavar="VERB")
    load = verbs.add_parser(
        "load",
        help="send labels from a CSV or Parquet file to a model",
        description="Send labels from a CSV or Parquet file to a model's server. Columns:"
        " prediction_id or request_id, label, and optionally observed_at and submitter. Loading a"
        " file again changes nothing.",
        epilog=LOAD_CODES,
    )
    load.set_defaults(carry_out=_load)
    load.add_argument("file", type=Path, metavar="FILE", help="CSV or Parquet file")
    load.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="with --namespace: a model of the cluster of kubectl's context",
    )
    where = load.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--url", type=http_url, metavar="URL", help="the server, such as http://127.0.0.1:8000"
    )
    where.add_argument("--namespace", "-n", metavar="NAMESPACE", help="namespace of MODEL")


def http_url(text: str) -> str:
    """Return a URL of HTTP without the slash at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL like http://127.0.0.1:8000")
    return text.rstrip("/")


def _load(options: argparse.Namespace) -> int:
    from taxon_cli.labels.load import Call, load_labels  # noqa: PLC0415 - pyarrow takes a while to import

    return load_labels(Call(options.file, options.url, options.namespace, options.model))
