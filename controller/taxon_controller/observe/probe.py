"""Asks a URL which version of a model answers, over the Open Inference Protocol."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLCertVerificationError
from urllib.parse import urlsplit

SECONDS = 3.0
MOST_BYTES = 65536


def ask(base: str, *, host: str, model: str) -> tuple[str | None, str]:
    """Return the version that answered, or None and why none did.

    Args:
        base: where to connect to, as ``http[s]://address[:port]``.
        host: the host name to ask for.
        model: the model to ask about.
    """
    address = urlsplit(base)
    connect = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = connect(address.hostname or "", address.port, timeout=SECONDS)
    try:
        connection.request("GET", f"/v2/models/{model}", headers={"Host": host})
        response = connection.getresponse()
        content = response.read(MOST_BYTES)
    except SSLCertVerificationError as error:
        return None, f"{base} does not answer with a trusted certificate ({error.verify_message})"
    except (OSError, HTTPException) as error:
        return None, f"{base} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        return None, f"{host} answers with status {response.status}"
    return _version(content, host)


def _version(content: bytes, host: str) -> tuple[str | None, str]:
    try:
        versions = json.loads(content)["versions"]
        return str(versions[0]), ""
    except (ValueError, KeyError, IndexError, TypeError):
        return None, f"{host} answers with something else than a model's metadata"
