"""Whatever the Gateway looks like, a model is looked at, and says where it answers or why not."""

from typing import Any

import pytest
from support.story import READY, Story
from support.world import SETTINGS, World

from taxon_controller.settings import Settings
from taxon_kube.api import HTTP_ROUTE

HOST = "wine.default.example.com"
ALL = {"namespaces": {"from": "All"}}
HTTP = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": ALL}
HTTPS = {"name": "https", "protocol": "HTTPS", "port": 443, "allowedRoutes": ALL}
FOUR, SIX = {"type": "IPAddress", "value": "10.0.0.7"}, {"type": "IPAddress", "value": "fd00::1"}
BY_STATUS: Settings = SETTINGS.model_copy(update={"gateway_url": None})
NAMED = BY_STATUS.model_copy(update={"gateway_url": "https://gateway.internal:8443"})


def story_at(
    *listeners: dict[str, Any], addresses: tuple[dict[str, Any], ...] = (FOUR,), **spec: Any
) -> Story:
    """Return the story of a model behind such a Gateway, up to where nothing more happens."""
    world = World()
    world.put(
        "Gateway",
        "kserve",
        "gateway",
        spec={"listeners": list(listeners or (HTTP,))},
        status={"addresses": list(addresses)},
    )
    story = Story(world, BY_STATUS)
    story.submit(**spec)
    story.run()
    return story


@pytest.mark.parametrize("address", [FOUR, SIX, {"type": "Hostname", "value": "lb.example.net"}])
def test_a_model_is_ready_behind_an_address_of_any_kind(address: dict[str, Any]) -> None:
    """IPv4, IPv6, a host name."""
    story = story_at(addresses=(address,))

    assert story.conditions == READY
    assert story.status.url == f"http://{HOST}"


@pytest.mark.parametrize(
    ("listeners", "url"),
    [
        ((HTTPS,), f"https://{HOST}"),
        ((HTTPS | {"port": 8443},), f"https://{HOST}:8443"),
        ((HTTP | {"port": 8080},), f"http://{HOST}:8080"),
        ((HTTP | {"allowedRoutes": None, "port": 81}, HTTPS), f"https://{HOST}"),
    ],
)
def test_the_url_is_the_one_clients_use(listeners: tuple[dict[str, Any], ...], url: str) -> None:
    """In the status and in the condition alike: scheme and port are those of the listener."""
    story = story_at(*listeners)

    assert story.conditions == READY
    assert story.status.url == url
    assert story.message("Ready").endswith(f" answers at {url}")


def test_a_base_url_with_https_says_so_in_the_status() -> None:
    """A person named it, so no Gateway is read."""
    story = Story(World(), NAMED)
    story.submit()
    story.run()

    assert story.status.url == f"https://{HOST}:8443"
    assert story.message("Ready").endswith(f" answers at https://{HOST}:8443")


@pytest.mark.parametrize(
    ("listeners", "addresses", "why"),
    [
        ((HTTP,), (), "has no address in its status yet"),
        ((HTTP,), ({"value": "::%0"},), "set gateway.url"),
        ((HTTP | {"allowedRoutes": None},), (FOUR,), "allow them in the listener's hostname and"),
        ((HTTP | {"port": "eighty"},), (FOUR,), "cannot be read: spec.listeners.0.port"),
    ],
)
def test_a_gateway_nobody_can_reach_is_a_condition(
    listeners: tuple[dict[str, Any], ...], addresses: tuple[dict[str, Any], ...], why: str
) -> None:
    """With what to do; once it is done, the model gets ready."""
    story = story_at(*listeners, addresses=addresses)
    assert story.conditions["Ready"] == ("False", "SwitchingTraffic")
    assert why in story.message("Ready")

    gateway = story.world.objects["Gateway", "kserve", "gateway"]
    gateway["spec"], gateway["status"] = {"listeners": [HTTP]}, {"addresses": [FOUR]}
    story.run()
    assert story.conditions == READY


def test_a_missing_gateway_is_a_condition() -> None:
    """It is named."""
    story = Story(World(), BY_STATUS)
    story.submit()
    story.run()

    assert story.conditions["Ready"] == ("False", "SwitchingTraffic")
    assert "Gateway kserve/gateway does not exist" in story.message("Ready")


@pytest.mark.parametrize("address", [SIX, {"value": "no address at all"}])
def test_a_model_can_be_deleted_whatever_the_gateway_looks_like(address: dict[str, Any]) -> None:
    """Its bundles go, then its finalizer."""
    story = story_at(addresses=(address,), deletionPolicy="Delete")
    story.world.remove(story.world.model())
    for _ in range(8):
        story.look()
        story.world.settle()

    assert ("ClassifierModel", "default", "wine") not in story.world.objects
    assert story.world.bundles == set()


def test_a_listener_that_is_named_is_the_one_routes_attach_to() -> None:
    """Also where another one would take them."""
    story = story_at(HTTP, HTTPS)
    story.settings = BY_STATUS.model_copy(update={"gateway_listener": "https"})
    story.run()

    assert story.status.url == f"https://{HOST}"
    [route] = story.world.named(HTTP_ROUTE).values()
    assert route["spec"]["parentRefs"][0]["sectionName"] == "https"


def test_a_gateway_that_closes_leaves_the_last_known_url() -> None:
    """Clients may reach it still."""
    story = story_at(HTTPS)
    story.world.objects["Gateway", "kserve", "gateway"]["status"] = {}
    story.run()

    assert story.status.url == f"https://{HOST}"
