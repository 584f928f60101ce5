"""Where a Gateway takes requests in is read from any Gateway, and never raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxon_controller.observe.gateway import (
    Closed,
    Entrance,
    entrance_of_gateway,
    entrance_of_url,
)

HOST = "wine.default.example.com"
ALL = {"namespaces": {"from": "All"}}
HTTP = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": ALL}
HTTPS = {"name": "https", "protocol": "HTTPS", "port": 443, "allowedRoutes": ALL}
FOUR, SIX = {"type": "IPAddress", "value": "10.0.0.7"}, {"value": "fd00::1"}


def gateway(
    *listeners: dict[str, Any],
    addresses: tuple[dict[str, Any], ...] = (FOUR,),
    states: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """Return a Gateway as the API server does."""
    return {
        "metadata": {"namespace": "kserve", "name": "gateway"},
        "spec": {"gatewayClassName": "eg", "listeners": list(listeners or (HTTP,))},
        "status": {"addresses": list(addresses), "listeners": list(states)},
    }


def entrance(body: dict[str, Any], listener: str | None = None) -> Entrance | Closed:
    """Return where requests for the model's host come in."""
    return entrance_of_gateway(body, host=HOST, namespace="default", listener=listener)


def opened(*listeners: dict[str, Any], **more: Any) -> str:
    """Return the URL clients use with these listeners."""
    found = entrance(gateway(*listeners, **more))
    assert isinstance(found, Entrance), found
    return found.url(HOST)


def closed(body: dict[str, Any]) -> str:
    """Return why nobody can come in."""
    found = entrance(body)
    assert isinstance(found, Closed), found
    return found.message


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        (FOUR, "10.0.0.7"),
        (SIX, "fd00::1"),
        ({"type": "IPAddress", "value": "[fd00::1]"}, "fd00::1"),
        ({"type": "Hostname", "value": "lb-1.eu.example.net"}, "lb-1.eu.example.net"),
    ],
)
def test_an_address_of_any_kind_is_connected_to(address: dict[str, Any], usable: str) -> None:
    """IPv4, IPv6 and host names; the address is not part of the URL."""
    assert entrance(gateway(addresses=(address,))) == Entrance("http", 80, (usable,))


def test_every_usable_address_is_kept_in_its_order() -> None:
    """A Gateway may have one that cannot be reached from here."""
    odd = {"type": "example.net/pool", "value": "green"}
    found = entrance(gateway(addresses=(odd, SIX, FOUR)))

    assert isinstance(found, Entrance)
    assert found.addresses == ("fd00::1", "10.0.0.7")


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ((), "Gateway kserve/gateway has no address in its status yet"),
        (({"value": "0.0.0.0"},), "has no usable address in its status, only '0.0.0.0'"),  # noqa: S104 - what a Gateway may say
        (({"value": "fe80::1%eth0"},), "set gateway.url"),
        (({"type": "Hostname", "value": "no host"},), "set gateway.url"),
        (({"type": "NamedAddress", "value": "10.0.0.7"},), "set gateway.url"),
    ],
)
def test_an_address_nobody_can_connect_to_is_a_sentence(
    addresses: tuple[dict[str, Any], ...], message: str
) -> None:
    """With what to do."""
    assert message in closed(gateway(addresses=addresses))


def test_the_url_has_the_scheme_and_the_port_of_the_listener() -> None:
    """A default port is left out."""
    assert opened(HTTP) == f"http://{HOST}"
    assert opened(HTTPS) == f"https://{HOST}"
    assert opened(HTTP | {"port": 8080}) == f"http://{HOST}:8080"
    assert opened(HTTPS | {"port": 8443}) == f"https://{HOST}:8443"


def test_a_listener_with_https_is_asked_for_the_hosts_certificate() -> None:
    """Its address is nothing a certificate names."""
    assert entrance(gateway(HTTPS)) == Entrance("https", 443, ("10.0.0.7",), server_name=HOST)


def test_of_two_listeners_that_take_the_route_http_is_used() -> None:
    """It needs no trusted certificate."""
    assert opened(HTTPS, HTTP) == f"http://{HOST}"


@pytest.mark.parametrize(
    "other",
    [
        {"allowedRoutes": {"namespaces": {"from": "Same"}}},
        {"allowedRoutes": None},
        {"allowedRoutes": {"namespaces": {"from": "None"}}},
        {"allowedRoutes": ALL | {"kinds": [{"kind": "GRPCRoute"}]}},
        {"hostname": "*.internal.example.com"},
        {"hostname": "default.example.com"},
        {"protocol": "TCP"},
        {"protocol": "TLS", "tls": {"mode": "Passthrough"}},
        {"protocol": "HTTPS", "tls": {"mode": "Passthrough"}},
    ],
    ids=str,
)
def test_a_listener_that_does_not_take_the_route_is_not_used(other: dict[str, Any]) -> None:
    """By namespace, kind, host name or protocol."""
    first = HTTP | {"name": "first", "port": 81} | other

    assert opened(first, HTTPS) == f"https://{HOST}"
    message = closed(gateway(first))
    assert "no HTTP or HTTPS listener that accepts HTTPRoutes of namespace default" in message
    assert "allowedRoutes" in message


@pytest.mark.parametrize("hostname", ["*.example.com", "*.default.example.com", HOST.upper(), ""])
def test_a_listeners_host_name_may_hold_the_models(hostname: str) -> None:
    """A wildcard stands for any number of labels."""
    assert opened(HTTP | {"hostname": hostname}) == f"http://{HOST}"


def test_a_route_of_the_gateways_own_namespace_is_taken_by_default() -> None:
    """The Gateway API's default is Same."""
    body = gateway({"name": "http", "protocol": "HTTP", "port": 80})
    found = entrance_of_gateway(body, host=HOST, namespace="kserve")

    assert isinstance(found, Entrance)


def test_a_listener_that_selects_namespaces_is_the_second_choice() -> None:
    """Nobody here can read the namespace's labels; alone, it is used."""
    selects = HTTP | {"allowedRoutes": {"namespaces": {"from": "Selector"}}, "port": 81}

    assert opened(selects, HTTPS) == f"https://{HOST}"
    assert opened(selects) == f"http://{HOST}:81"


def test_the_most_specific_host_name_is_chosen() -> None:
    """As the Gateway itself does for a request."""
    wide, narrow = HTTP | {"port": 81}, HTTP | {"name": "narrow", "hostname": "*.example.com"}

    assert opened(wide, narrow) == f"http://{HOST}"


def test_a_named_listener_is_the_only_choice() -> None:
    """The route's sectionName."""
    found = entrance(gateway(HTTP, HTTPS), "https")
    assert isinstance(found, Entrance)
    assert found.url(HOST) == f"https://{HOST}"

    missing = entrance(gateway(HTTP), "https")
    assert isinstance(missing, Closed)
    assert "has no listener https that accepts" in missing.message


def test_a_listener_that_the_gateway_does_not_serve_is_not_used() -> None:
    """Its certificate is missing, or its port is taken."""
    condition = {"type": "Programmed", "status": "False", "message": "secret not found"}
    broken = {"name": "http", "conditions": [condition]}

    assert opened(HTTP, HTTPS, states=(broken,)) == f"https://{HOST}"
    assert closed(gateway(HTTP, states=(broken,))) == (
        "listener http of Gateway kserve/gateway does not work: secret not found: fix it"
    )


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://gateway", f"http://{HOST}"),
        ("https://gateway", f"https://{HOST}"),
        ("https://gateway:8443", f"https://{HOST}:8443"),
        ("http://[fd00::1]:8080", f"http://{HOST}:8080"),
    ],
)
def test_a_url_that_a_person_names_says_scheme_and_port(base: str, url: str) -> None:
    """Clients use what the controller uses."""
    found = entrance_of_url(base)

    assert isinstance(found, Entrance)
    assert found.url(HOST) == url
    assert found.server_name is None


@pytest.mark.parametrize("base", ["gateway", "ftp://gateway", "http://", "http://g:x", "http://["])
def test_what_is_not_a_url_is_a_sentence(base: str) -> None:
    """With the form it should have."""
    found = entrance_of_url(base)

    assert isinstance(found, Closed)
    assert "http[s]://host[:port]" in found.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | st.sampled_from(["HTTP", "::", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "port", "protocol", "value", "type", "hostname", "conditions",
                             "allowedRoutes", "namespaces", "from", "addresses", "listeners"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(spec=JSON, status=JSON)
def test_whatever_a_gateway_says_is_an_entrance_or_a_sentence(spec: Any, status: Any) -> None:
    """Reading is total."""
    body = {"metadata": {"namespace": "kserve", "name": "gateway"}, "spec": spec, "status": status}

    assert isinstance(entrance(body), Entrance | Closed)
