"""The process's own environment, changed for a while."""

import contextlib
import os
from collections.abc import Iterator

OWN_PREFIXES = ("AWS_", "TAXON_")


@contextlib.contextmanager
def leading_to(variables: dict[str, str], *, host: str) -> Iterator[None]:
    """Point S3 clients of this process and its children at one object store, without a proxy.

    Args:
        variables: the store's variables; all others of S3 and Taxon are unset meanwhile.
        host: the host that is reached without a proxy.
    """
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if not name.startswith(OWN_PREFIXES)}
    past_proxy = {
        name: ",".join(filter(None, (before.get(name), host))) for name in ("NO_PROXY", "no_proxy")
    }
    os.environ.clear()
    os.environ.update(kept | past_proxy | variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
