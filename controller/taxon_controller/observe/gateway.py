"""Where a Gateway accepts a model's requests: listener, addresses and URL.

For any spec and status of a Gateway the result is an entrance or a sentence, never an error.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Scheme = Literal["http", "https"]
DEFAULT_PORTS: dict[str, int] = {"http": 80, "https": 443}
GROUP = "gateway.networking.k8s.io"
DNS_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Entrance:
    """Where requests for a model's host are accepted.

    ``addresses`` are tried in this order. ``server_name`` is the name in the certificate; None:
    the address itself.
    """

    scheme: Scheme
    port: int
    addresses: tuple[str, ...]
    server_name: str | None = None

    def url(self, host: str) -> str:
        """Return the URL of a host name, or of one of the addresses."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}{port}"


@dataclass(frozen=True)
class Closed:
    """Why no request is accepted, as one sentence with the remedy."""

    message: str


def entrance_of_url(base: str) -> Entrance | Closed:
    """Return the entrance for ``http[s]://host[:port]``."""
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in DEFAULT_PORTS or not host:
        return Closed(f"{base!r} is not a URL of the form http[s]://host[:port]: correct it")
    scheme: Scheme = "https" if parts.scheme == "https" else "http"
    return Entrance(scheme, port or DEFAULT_PORTS[scheme], (host,))


def entrance_of_gateway(
    body: dict[str, Any], *, host: str, namespace: str, listener: str | None = None
) -> Entrance | Closed:
    """Return where a Gateway accepts requests.

    Args:
        body: the Gateway, as the API server returns it.
        host: the host name of the route.
        namespace: the namespace of the route.
        listener: the listener in the route; None: any that accepts it.
    """
    metadata = body.get("metadata") or {}
    name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    try:
        gateway = _Gateway.model_validate(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return Closed(f"Gateway {name} cannot be read: {where} is not valid in the Gateway API")
    same = metadata.get("namespace") == namespace
    taking = [one for one in gateway.spec.listeners if one.takes(host, same=same, name=listener)]
    if not taking:
        return Closed(_no_listener(name, host, namespace, listener))
    states = {one.name: one for one in gateway.status.listeners}
    working = [one for one in taking if states.get(one.name, _ListenerState()).broken is None]
    if not working:
        why = states[taking[0].name].broken
        return Closed(f"listener {taking[0].name} of Gateway {name} does not work: {why}: fix it")
    addresses = tuple(filter(None, (one.usable for one in gateway.status.addresses)))
    if not addresses:
        return Closed(_no_address(name, gateway.status.addresses))
    chosen = min(working, key=_preference)
    if chosen.protocol == "HTTPS":
        return Entrance("https", chosen.port, addresses, server_name=host)
    return Entrance("http", chosen.port, addresses)


def _no_listener(name: str, host: str, namespace: str, listener: str | None) -> str:
    wanted = f"listener {listener}" if listener else "HTTP or HTTPS listener"
    return (
        f"Gateway {name} has no {wanted} that accepts HTTPRoutes of namespace {namespace} for the"
        f" host {host}: allow them in the listener's hostname and allowedRoutes"
    )


def _no_address(name: str, stated: "Iterable[_Address]") -> str:
    values = ", ".join(repr(one.value[:64]) for one in stated)
    if not values:
        return f"Gateway {name} has no address in its status yet: check its GatewayClass"
    return f"Gateway {name} has no usable address in its status, only {values}: set gateway.url"


def _preference(listener: "_Listener") -> tuple[bool, bool, int]:
    """Sort listeners: those certain to accept the route, plain HTTP, then the most specific host.

    HTTP is before HTTPS because it needs no certificates that the controller trusts.
    """
    return not listener.certain, listener.protocol != "HTTP", -len(listener.hostname or "")


class _Part(BaseModel):
    """A part of a Gateway; what is not needed, or newer, is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _RouteKind(_Part):
    group: str | None = None
    kind: str


class _Namespaces(_Part):
    from_: str | None = Field(default=None, alias="from")


class _AllowedRoutes(_Part):
    namespaces: _Namespaces | None = None
    kinds: tuple[_RouteKind, ...] | None = None


class _Tls(_Part):
    mode: str | None = None


class _Listener(_Part):
    name: str
    protocol: str
    port: int = Field(ge=1, le=65535)
    hostname: str | None = None
    allowed_routes: _AllowedRoutes | None = Field(default=None, alias="allowedRoutes")
    tls: _Tls | None = None

    @property
    def _from(self) -> str:
        namespaces = self.allowed_routes.namespaces if self.allowed_routes else None
        return (namespaces.from_ if namespaces else None) or "Same"

    @property
    def certain(self) -> bool:
        """Return whether the route's namespace is admitted with any labels."""
        return self._from != "Selector"

    def takes(self, host: str, *, same: bool, name: str | None) -> bool:
        """Return whether an HTTPRoute of the host may attach; ``same``: in the Gateway's namespace.

        A selector counts as fulfilled: the controller cannot read namespaces.
        """
        speaks = self.protocol == "HTTP" or (self.protocol == "HTTPS" and not self._passes_through)
        admits = self._from in ("All", "Selector") or (self._from == "Same" and same)
        named = name in (None, self.name)
        return named and speaks and admits and self._kind_fits and self._is(host)

    @property
    def _passes_through(self) -> bool:
        return self.tls is not None and self.tls.mode == "Passthrough"

    @property
    def _kind_fits(self) -> bool:
        kinds = (self.allowed_routes.kinds if self.allowed_routes else None) or ()
        return not kinds or any(
            one.kind == "HTTPRoute" and one.group in (None, GROUP) for one in kinds
        )

    def _is(self, host: str) -> bool:
        wanted, host = (self.hostname or "").lower(), host.lower()
        if wanted.startswith("*."):
            return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1
        return wanted in ("", host)


class _Condition(_Part):
    type: str
    status: str
    message: str = ""


class _ListenerState(_Part):
    name: str = ""
    conditions: tuple[_Condition, ...] = ()

    @property
    def broken(self) -> str | None:
        """Return why the Gateway does not serve the listener, if it reports that."""
        for one in self.conditions:
            if one.type in ("Accepted", "Programmed") and one.status == "False":
                return one.message[:200] or f"{one.type} is False"
        return None


class _Address(_Part):
    type: str | None = None
    value: str = ""

    @property
    def usable(self) -> str | None:
        """Return the address if it can be connected to."""
        if self.type == "Hostname":
            return self.value if DNS_NAME.fullmatch(self.value) else None
        try:
            address = ipaddress.ip_address(self.value.strip("[]"))
        except ValueError:
            return None
        unusable = address.is_unspecified or address.is_multicast
        scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
        return None if unusable or scoped or self.type not in (None, "IPAddress") else str(address)


class _Spec(_Part):
    listeners: tuple[_Listener, ...] = ()


class _Status(_Part):
    addresses: tuple[_Address, ...] = ()
    listeners: tuple[_ListenerState, ...] = ()


class _Gateway(_Part):
    spec: _Spec = _Spec()
    status: _Status = _Status()
