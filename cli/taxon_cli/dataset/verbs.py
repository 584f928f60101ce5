"""What each verb of `taxon dataset` does."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from taxon_bundle.bundle import BundleError
from taxon_bundle.storage import BadURI, StorageError
from taxon_cli import exits
from taxon_cli.dataset import show
from taxon_cli.dataset.file import on_disk
from taxon_cli.dataset.place import Place, opened
from taxon_cli.dataset.progress import shown_progress
from taxon_cli.exits import fail
from taxon_cli.kubectl import ClusterError
from taxon_cli.local.ports import PortTaken
from taxon_cli.local.processes import ProcessFailed
from taxon_cli.local.state import StateError
from taxon_cli.table import BadCall
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine
from taxon_datastore.datasets.csv_lines import BadTable
from taxon_datastore.datasets.delete import delete
from taxon_datastore.datasets.diff import difference
from taxon_datastore.datasets.fetch import Format, fetch_table
from taxon_datastore.datasets.load import Loaded, load
from taxon_datastore.datasets.versions import DatasetMissing, Description, descriptions

FORMATS: Mapping[str, Format] = {".csv": "csv", ".parquet": "parquet"}
MACHINE_FAULTS = (
    BundleError,
    ClusterError,
    DatabaseRefused,
    DatabaseUnavailable,
    OSError,
    PortTaken,
    ProcessFailed,
    StateError,
    StorageError,
)


def carry_out(options: argparse.Namespace) -> int:
    """Carry out a verb; return the exit code."""
    verbs: Mapping[str, Callable[[argparse.Namespace, Place], int]] = {
        "load": _load,
        "list": _list,
        "show": _show,
        "export": _export,
        "diff": _diff,
        "delete": _delete,
    }
    try:
        with opened(options) as place:
            return verbs[options.verb](options, place)
    except (BadCall, BadTable, BadURI, DatasetMissing) as error:
        return fail(exits.USAGE, str(error))
    except MACHINE_FAULTS as error:
        return fail(exits.MACHINE, str(error))
    except ValueError as error:  # of the database's URL
        return fail(exits.USAGE, str(error))


def _load(options: argparse.Namespace, place: Place) -> int:
    with on_disk(options.file) as file, shown_progress(file.stat().st_size) as progress:
        try:
            done = load(
                engine(place.url),
                file,
                namespace=place.namespace,
                name=options.name,
                progress=progress,
            )
        except BadTable as error:
            raise BadTable(f"{options.file}: {error}: nothing is stored") from error
    exits.say(_news(options.name, done))
    sys.stdout.write(f"{options.name}/{done.version}\n")
    return exits.DONE


def _news(name: str, done: Loaded) -> str:
    if not done.new:
        return f"version {done.version} of data set {name} has this content already"
    rows = f"version {done.version} of data set {name} has {done.rows:,} rows"
    if done.view is None:
        return f"{rows}; no view shows them: {done.why_no_view}"
    return f"{rows}; view {done.view} shows them"


def _list(options: argparse.Namespace, place: Place) -> int:
    found = descriptions(engine(place.url), namespace=place.namespace)
    show.datasets(found, as_json=options.output == "json")
    return exits.DONE


def _show(options: argparse.Namespace, place: Place) -> int:
    versions = _versions(place, options.name)
    chosen = _chosen(versions, options.version)
    uses = place.uses() if place.uses else None
    if uses is not None:
        uses = [use for use in uses if use.dataset == options.name]
    show.dataset(chosen, versions, uses, as_json=options.output == "json")
    return exits.DONE


def _export(options: argparse.Namespace, place: Place) -> int:
    form = FORMATS.get(options.file.suffix.lower())
    if form is None:
        raise BadCall(f"{options.file}: the name must end with .csv or .parquet, after its format")
    version = _chosen(_versions(place, options.name), options.version).version
    table = fetch_table(
        engine(place.url), namespace=place.namespace, name=options.name, version=version, form=form
    )
    options.file.write_bytes(table.content)
    exits.say(f"version {version} of data set {options.name} is in {options.file}")
    return exits.DONE


def _diff(options: argparse.Namespace, place: Place) -> int:
    found = difference(
        engine(place.url),
        namespace=place.namespace,
        name=options.name,
        versions=(options.before, options.after),
        target=options.target,
    )
    show.difference(found, as_json=options.output == "json")
    return exits.DONE


def _delete(options: argparse.Namespace, place: Place) -> int:
    versions = _versions(place, options.name)
    if options.version:
        going = [_chosen(versions, options.version).version]
    else:
        going = [one.version for one in versions]
    if place.uses is None:
        raise BadCall("pass --namespace: the models there may use it, which only they can say")
    users = [use for use in place.uses() if use.is_of(options.name, going, versions[0].version)]
    if users:
        who = ", ".join(dict.fromkeys(use.who for use in users))
        return fail(exits.REFUSED, f"data set {options.name} is used by {who}: nothing is deleted")
    what = f"version {options.version}" if options.version else f"all {len(going)} versions"
    if not options.yes and not _confirmed(f"delete {what} of data set {options.name}?"):
        return fail(exits.USAGE, "nothing is deleted: answer y, or pass --yes")
    gone = delete(
        engine(place.url), namespace=place.namespace, name=options.name, version=options.version
    )
    exits.say(f"deleted {len(gone)} version{'s' * (len(gone) > 1)} of data set {options.name}")
    return exits.DONE


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"taxon: {question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _versions(place: Place, name: str) -> Sequence[Description]:
    """Return a data set's versions, newest first.

    Raises:
        DatasetMissing: it has none.
    """
    found = descriptions(engine(place.url), namespace=place.namespace, name=name)
    if not found:
        raise DatasetMissing(
            f"namespace {place.namespace} has no data set {name}: `taxon dataset list` shows those"
            " it has"
        )
    return found


def _chosen(versions: Sequence[Description], version: int | None) -> Description:
    """Return the version asked for, else the newest.

    Raises:
        DatasetMissing: there is no such version.
    """
    for one in versions:
        if version in (None, one.version):
            return one
    raise DatasetMissing(
        f"data set {versions[0].name} has no version {version}: its newest is {versions[0].version}"
    )
