"""`python -m taxon_bundle.commands.fetch URI FOLDER`: copy a verified bundle to a server.

KServe starts this before the server, as Taxon's ClusterStorageContainer. The URI has the bundle
and the digest of its manifest, so that write access to the bucket is not enough to change what is
served. A refusal is one sentence in the pod's termination log, which KServe copies to the
InferenceService's status.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import structlog

from taxon_bundle.bundle import BundleError, open_bundle
from taxon_bundle.storage import BadURI, FolderStore, StorageError, StorageUnavailable
from taxon_contracts import logs
from taxon_contracts.manifest import MANIFEST_NAME, object_key
from taxon_contracts.names import DIGEST_PATTERN

log = structlog.get_logger(__name__)

EXIT_FINAL = 65
"""Another attempt cannot help: a wrong URI, bundle or credential."""
EXIT_RETRY = 75
"""Storage or the disk failed: another attempt may help."""


@dataclass(frozen=True)
class Source:
    """A bundle to fetch: its folder, and the digest of its manifest."""

    folder: str
    digest: str

    @classmethod
    def parse(cls, uri: str) -> "Source":
        """Return what ``taxon+s3://bucket/path/?manifest=sha256:...`` names.

        Raises:
            BadURI: the digest is missing or is not a digest.
        """
        parts = urlsplit(uri)
        digests = parse_qs(parts.query).get("manifest", [])
        if len(digests) != 1 or not re.fullmatch(DIGEST_PATTERN, digests[0]):
            raise BadURI(f"{uri}: end it with ?manifest=sha256:<64 hex digits>")
        return cls(parts._replace(query="", fragment="").geturl(), digests[0])


def fetch(source: Source, folder: Path) -> None:
    """Copy every file of a bundle, each verified before it is written; the manifest comes last.

    Raises:
        BundleError: there is no such bundle, or a file is not what its manifest says.
        StorageError: storage or the disk did not do as asked.
        BadURI: storage does not know such a URI.
    """
    bundle = open_bundle(source.folder, source.digest)
    target = FolderStore(folder)
    for name, listed in bundle.manifest.files.items():
        target.write(object_key(name, listed.sha256), bundle.read(name))
    target.write(MANIFEST_NAME, bundle.content)


def main() -> None:
    """Run the command; exit 0, 65 (final) or 75 (try again)."""
    parser = argparse.ArgumentParser(
        prog="python -m taxon_bundle.commands.fetch", description=__doc__
    )
    parser.add_argument("uri", help="taxon+s3://bucket/path/?manifest=sha256:...")
    parser.add_argument("folder", type=Path, help="the bundle's folder")
    parser.add_argument(
        "--termination-log",
        type=Path,
        default=Path("/dev/termination-log"),
        help="file for the reason of a refusal, if it exists",
    )
    arguments = parser.parse_args()
    logs.configure()
    try:
        fetch(Source.parse(arguments.uri), arguments.folder)
    except StorageUnavailable as error:
        refuse(str(error), arguments.termination_log)
        sys.exit(EXIT_RETRY)
    except (BundleError, StorageError, BadURI) as error:
        refuse(str(error), arguments.termination_log)
        sys.exit(EXIT_FINAL)
    log.info("BundleVerified", uri=arguments.uri)


def refuse(reason: str, termination_log: Path) -> None:
    """Write the reason to the log and, in a pod, to the termination log."""
    log.error("BundleRefused", reason=reason)
    if termination_log.exists():
        termination_log.write_text(reason)


if __name__ == "__main__":
    main()
