"""Where a Gateway can be reached."""

from taxon_kube.api import GATEWAY, Api


def gateway_url(api: Api, gateway: str) -> str | None:
    """Return where a Gateway listens for HTTP, from its status."""
    namespace, _, name = gateway.partition("/")
    body = api.get(GATEWAY, namespace, name)
    if body is None:
        return None
    addresses = body.get("status", {}).get("addresses", ())
    listeners = body.get("spec", {}).get("listeners", ())
    port = next((one["port"] for one in listeners if one.get("protocol") == "HTTP"), 80)
    return f"http://{addresses[0]['value']}:{port}" if addresses else None
