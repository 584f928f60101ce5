"""What the chart needs in a cluster: said in one sentence, and only where a cluster was asked."""

from typing import Any

import pytest
from support import charts

KUBERNETES = "v1/Pod"
"""Known by this name only where a cluster was asked."""
KSERVE = ("ClusterServingRuntime", "ClusterStorageContainer")
KSERVE_KINDS = tuple(f"serving.kserve.io/v1alpha1/{kind}" for kind in KSERVE)
OPERATOR = ("PodMonitor", "PrometheusRule", "ServiceMonitor")
OPERATOR_KINDS = tuple(f"monitoring.coreos.com/v1/{kind}" for kind in OPERATOR)
GATEWAY = {"gateway": {"name": "infra/public"}}
MONITORING = {"monitoring": {"enabled": True}}


@pytest.mark.parametrize(
    ("values", "kinds", "message"),
    [
        pytest.param(
            {},
            (),
            "this cluster has no ClusterServingRuntime (serving.kserve.io/v1alpha1):"
            " install KServe first",
            id="no-kserve",
        ),
        pytest.param(
            {},
            KSERVE_KINDS[:1],
            "this cluster has no ClusterStorageContainer (serving.kserve.io/v1alpha1):"
            " install KServe first",
            id="half-of-kserve",
        ),
        pytest.param(
            GATEWAY,
            KSERVE_KINDS,
            "this cluster has no HTTPRoute (gateway.networking.k8s.io/v1):"
            " install the Gateway API first, or leave gateway.name empty",
            id="no-gateway-api",
        ),
        pytest.param(
            {"gateway": {"retries": "EnvoyGateway"}},
            KSERVE_KINDS,
            "this cluster has no BackendTrafficPolicy (gateway.envoyproxy.io/v1alpha1):"
            " install Envoy Gateway first, or set gateway.retries to Auto",
            id="no-envoy-gateway",
        ),
        pytest.param(
            MONITORING,
            KSERVE_KINDS,
            "this cluster has no PodMonitor (monitoring.coreos.com/v1):"
            " install the Prometheus Operator first, or set monitoring.enabled to false",
            id="no-prometheus-operator",
        ),
        pytest.param(
            MONITORING,
            (*KSERVE_KINDS, *OPERATOR_KINDS[:2]),
            "this cluster has no ServiceMonitor (monitoring.coreos.com/v1):"
            " install the Prometheus Operator first, or set monitoring.enabled to false",
            id="part-of-the-prometheus-operator",
        ),
    ],
)
@pytest.mark.parametrize("helm", [3, 4])
def test_a_cluster_that_lacks_something_is_refused(
    values: dict[str, Any], kinds: tuple[str, ...], message: str, helm: int
) -> None:
    """Either Helm says what is missing and what to do about it."""
    programs = charts.helm_3() if helm == 3 else None
    with pytest.raises(charts.Refused) as refused:
        charts.render(values, kinds=(KUBERNETES, *kinds), programs=programs)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        pytest.param({}, KSERVE_KINDS, id="kserve-alone"),
        pytest.param(
            GATEWAY | MONITORING,
            (*KSERVE_KINDS, "gateway.networking.k8s.io/v1/HTTPRoute", *OPERATOR_KINDS),
            id="everything",
        ),
    ],
)
def test_a_cluster_that_has_what_is_asked_for_gets_what_is_reviewed(
    values: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    """What a cluster knows changes nothing of what is rendered."""
    asked = charts.render(values, kinds=(KUBERNETES, *kinds))
    assert charts.objects(asked) == charts.objects(charts.render(values))


@pytest.mark.parametrize("release", ["1st", "team.taxon", "a" * 39])
def test_a_release_name_that_cannot_start_a_service_name_is_refused(release: str) -> None:
    """Helm allows release names that Kubernetes would refuse in the middle of an install."""
    with pytest.raises(charts.Refused, match=f'the release name "{release}" cannot start'):
        charts.render({}, release=release)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({}, "set networkPolicies.egress.objectStore", id="object-store"),
        pytest.param(
            {"objectStore": {"evaluation": True}, "database": {"secretName": "mine"}},
            "set networkPolicies.egress.database",
            id="database",
        ),
    ],
)
def test_policies_that_would_cut_pods_off_are_refused(values: dict[str, Any], message: str) -> None:
    """Whoever denies by default says where the own object store and database are."""
    with pytest.raises(charts.Refused, match=message):
        charts.render(values | {"networkPolicies": {"enabled": True}})
