"""The cluster's own certificate authority and its certificates."""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import layout
from hack.cluster.steps import run

DAYS = "3650"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Identity:
    """The subject of a certificate: a user with its group, or a server with its addresses."""

    name: str
    common_name: str
    organization: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Return the subject as openssl takes it."""
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"


def pair(name: str) -> Pair:
    """Return where the certificate and key ``name`` are kept."""
    folder = layout.CONFIG / "certificates"
    return Pair(folder / f"{name}.crt", folder / f"{name}.key")


AUTHORITY = "authority"
SERVICE_ACCOUNTS = "service-accounts"


def make_authority() -> None:
    """Make the authority and the key that signs service account tokens, unless they are there."""
    authority, tokens = pair(AUTHORITY), pair(SERVICE_ACCOUNTS)
    authority.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not authority.certificate.exists():
        new_key(authority.key)
        unfinished = authority.certificate.with_suffix(".unfinished")
        openssl(
            *("req", "-x509", "-new", "-key", authority.key, "-days", DAYS),
            *("-subj", "/CN=taxon-cluster", "-out", unfinished),
        )
        unfinished.rename(authority.certificate)
    if not tokens.key.exists():
        new_key(tokens.key)


def new_key(path: Path) -> None:
    """Write a new private key that only its owner may read."""
    # The API server accepts only this older format.
    unfinished = path.with_suffix(".unfinished")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", unfinished)
    unfinished.chmod(0o600)
    unfinished.rename(path)


def openssl(*words: str | Path) -> None:
    """Run openssl."""
    run(["openssl", *words], log="certificates")


def issue(identity: Identity) -> Pair:
    """Return the certificate for ``identity``, signed by the authority and made when missing."""
    issued, authority = pair(identity.name), pair(AUTHORITY)
    if issued.certificate.exists():
        return issued
    new_key(issued.key)
    request = issued.key.with_suffix(".csr")
    openssl("req", "-new", "-key", issued.key, "-subj", identity.subject, "-out", request)
    unfinished = issued.certificate.with_suffix(".unfinished")
    extensions = issued.key.with_suffix(".ext")
    extensions.write_text(extension_lines(identity))
    openssl(
        *("x509", "-req", "-in", request, "-days", DAYS, "-extfile", extensions),
        *(
            "-CA",
            authority.certificate,
            "-CAkey",
            authority.key,
            "-set_serial",
            str(secrets.randbits(64)),
        ),
        *("-out", unfinished),
    )
    unfinished.rename(issued.certificate)
    return issued


def extension_lines(identity: Identity) -> str:
    """Return the extensions of an ``identity``'s certificate in openssl's format."""
    lines = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.addresses:
        kinds = [f"{'IP' if a[0].isdigit() else 'DNS'}:{a}" for a in identity.addresses]
        lines.append("subjectAltName=" + ",".join(kinds))
    return "\n".join(lines) + "\n"


def kubeconfig(path: Path, identity: Identity, server: str) -> Path:
    """Write a kubeconfig that reaches ``server`` as ``identity``."""
    issued = issue(identity)
    cluster = {"server": server, "certificate-authority-data": encode(pair(AUTHORITY).certificate)}
    user = {
        "client-certificate-data": encode(issued.certificate),
        "client-key-data": encode(issued.key),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "taxon", "cluster": cluster}],
        "users": [{"name": identity.name, "user": user}],
        "contexts": [{"name": "taxon", "context": {"cluster": "taxon", "user": identity.name}}],
        "current-context": "taxon",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2))
    return path


def encode(path: Path) -> str:
    """Return a file's content in base64."""
    return base64.b64encode(path.read_bytes()).decode()
