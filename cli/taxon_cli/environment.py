"""The process's own environment, changed for a while."""

import contextlib
import os
from collections.abc import Iterator

OWN_PREFIXES = ("AWS_", "TAXON_")


@contextlib.contextmanager
def leading_to(variables: dict[str, str], *, host: str) -> Iterator[None]:
    """Lead this process and all it starts to one object store, past any other and any proxy.

    Args:
        variables: what leads there, the only variables of S3 and Taxon meanwhile.
        host: the host that is asked without a proxy.
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
