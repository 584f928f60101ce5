"""What a person adds to a model's Service or HTTPRoute is taken away if it moves the traffic.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from typing import Any

import pytest
from support.story import READY, served

from taxon_kube.api import HTTP_ROUTE, SERVICE


def test_a_label_added_to_the_selector_of_the_service_is_taken_away() -> None:
    """It would be left without any endpoint."""
    story = served()
    [service] = story.world.named(SERVICE).values()
    wanted = dict(service["spec"]["selector"])
    service["spec"]["selector"] = wanted | {"foo": "bar"}
    story.run(1)

    assert service["spec"]["selector"] == wanted


@pytest.mark.parametrize(
    "added",
    [
        {"filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "elsewhere"}}]},
        {"timeouts": {"request": "1ms"}},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/"}, "method": "PUT"}]},
    ],
)
def test_what_is_added_to_a_rule_of_the_route_is_taken_away(added: dict[str, Any]) -> None:
    """Filters, timeouts and narrower matches keep requests from the live version."""
    story = served()
    [route] = story.world.named(HTTP_ROUTE).values()
    wanted = [dict(rule) for rule in route["spec"]["rules"]]
    route["spec"]["rules"][0] |= added
    story.run(1)

    assert route["spec"]["rules"] == wanted


def test_what_others_add_beside_that_stays_and_is_not_written_again() -> None:
    """The API server fills in addresses, and people put labels on."""
    story = served()
    [service] = story.world.named(SERVICE).values()
    service["spec"] |= {"clusterIP": "10.0.0.7", "sessionAffinity": "None"}
    service["metadata"]["labels"]["team"] = "wine"
    story.world.writes.clear()
    story.run()

    assert story.world.writes == []
    assert story.conditions == READY
