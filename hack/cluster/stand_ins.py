"""Images for the cluster's own pods, used without a registry."""

from dataclasses import dataclass

from hack.cluster.archives import ProgramImage
from hack.cluster.builds import Programs


@dataclass(frozen=True)
class Images:
    """The names of the images that replace the charts' own."""

    kserve: str
    envoy_gateway: str
    envoy: str
    prometheus_operator: str
    config_reloader: str
    prometheus: str
    metrics_server: str


def program_images(programs: Programs) -> dict[str, ProgramImage]:
    """Return the images the cluster's own pods run."""
    places = {
        "pause": (programs.pause, "/pause"),
        "kserve": (programs.kserve, "/manager"),
        "envoy-gateway": (programs.envoy_gateway, "/usr/local/bin/envoy-gateway"),
        "envoy": (programs.envoy, "/usr/local/bin/envoy"),
        "prometheus-operator": (programs.prometheus_operator, "/bin/operator"),
        "config-reloader": (programs.config_reloader, "/bin/prometheus-config-reloader"),
        "prometheus": (programs.prometheus, "/bin/prometheus"),
        "metrics-server": (programs.metrics_server, "/metrics-server"),
    }
    return {name: ProgramImage(name, *place) for name, place in places.items()}


def replacements(images: dict[str, ProgramImage]) -> Images:
    """Return the images' names in the place of the charts' own."""
    return Images(
        kserve=images["kserve"].reference,
        envoy_gateway=images["envoy-gateway"].reference,
        envoy=images["envoy"].reference,
        prometheus_operator=images["prometheus-operator"].reference,
        config_reloader=images["config-reloader"].reference,
        prometheus=images["prometheus"].reference,
        metrics_server=images["metrics-server"].reference,
    )
