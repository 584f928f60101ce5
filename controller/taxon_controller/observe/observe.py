"""Reads everything about one model."""

from collections.abc import Iterable
from typing import Protocol

from taxon_contracts import names
from taxon_controller.domain.accounts import accounts
from taxon_controller.domain.hosts import inside_host, outside_host
from taxon_controller.domain.model import Model
from taxon_controller.domain.ownership import is_foreign
from taxon_controller.observe.gateway import (
    Closed,
    Entrance,
    entrance_of_gateway,
    entrance_of_url,
)
from taxon_controller.observe.observed import (
    Cleanup,
    KServeState,
    Newest,
    Observed,
    Pointer,
    Server,
)
from taxon_controller.observe.parse import (
    read_attempt,
    read_budget,
    read_cleanup,
    read_pointer,
    read_server,
)
from taxon_controller.observe.probe import Answer, Question
from taxon_controller.observe.prober import Key
from taxon_controller.observe.reader import Reader
from taxon_controller.settings import Settings
from taxon_kube.api import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    GATEWAY,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    Api,
    ApiError,
    Conflict,
    Kind,
    KindMissing,
    Manifest,
    WebhookUnavailable,
)


class Urls(Protocol):
    """Probes the URLs of models continuously, so that a reconciliation never waits for one."""

    def watch(self, key: Key, question: Question, *, expected: str) -> Answer | None:
        """Return a URL's last answer, or None if there is no answer to this question yet."""

    def forget(self, key: Key) -> None:
        """Stop probing for a model."""


class Versions(Protocol):
    """Asks for the newest versions of data sets continuously, as the URLs are probed."""

    def newest(self, model: Key, name: str) -> Newest | None:
        """Return the last good answer about a model's data set, or None before the first."""

    def forget(self, model: Key) -> None:
        """Note that a model follows no data set."""


def observe(api: Api, urls: Urls, versions: Versions, model: Model, settings: Settings) -> Observed:
    """Return what is in the cluster about a model; what could not be read is part of it."""
    reader = Reader(api)
    jobs, services = reader.owned(JOB, model) or [], reader.owned(SERVICE, model) or []
    serving = reader.owned(INFERENCE_SERVICE, model)
    routes = reader.owned(HTTP_ROUTE, model) if settings.gateway else None
    pods = reader.labelled(POD, model.namespace, {names.LABEL_MODEL: model.name})
    budgets = reader.owned(DISRUPTION_BUDGET, model) or []
    attempts = reader.parsed(JOB, jobs, lambda job: read_attempt(job, pods))
    servers = _servers(reader, model, serving or [], pods)
    service, route = _pointer(services), _pointer(routes or [])
    entrance = _entrance(reader, model, settings, gateway=routes is not None)
    pointed = _pointed(service, route, gateway=routes is not None)
    answer = _answer(urls, model, settings, entrance, pointed)
    kserve, refused = _admission(api, servers)
    return Observed(
        attempts=attempts,
        servers=servers,
        budgets=reader.parsed(DISRUPTION_BUDGET, budgets, read_budget),
        service=service,
        route=route,
        cleanups=_cleanups(reader, model, settings),
        kserve="Missing" if serving is None else kserve,
        gateway=routes is not None,
        accounts=_accounts(reader, model, settings),
        foreign=_foreign(reader, model, {SERVICE: services, HTTP_ROUTE: routes}),
        url=_url(model, settings, entrance, gateway=routes is not None),
        answering=answer.version if answer else None,
        unanswered=answer.why if answer else "",
        admission_refused=refused,
        dataset=_newest(versions, model, settings),
        unread=tuple(reader.unread),
    )


def _newest(versions: Versions, model: Model, settings: Settings) -> Newest | None:
    """Return what is known about the data set the model follows, if it follows one."""
    key = (model.namespace, model.name)
    reads = settings.monitor_url and model.deleted is None and model.parsed is not None
    followed = model.follows if reads else None
    if followed is None:
        versions.forget(key)
        return None
    return versions.newest(key, followed)


def _foreign(
    reader: Reader, model: Model, own: dict[Kind, list[Manifest] | None]
) -> tuple[str, ...]:
    """Return objects whose names are taken, before a run is started; a kind may be missing."""
    wanted = [kind for kind, found in own.items() if found == []]
    there = ((kind, reader.get(kind, model.namespace, model.name)) for kind in wanted)
    return tuple(
        f"{kind.name}/{model.name}"
        for kind, body in there
        if body is not None and is_foreign(body, model)
    )


def _pointer(found: Iterable[Manifest]) -> Pointer | None:
    return next((read_pointer(body) for body in found), None)


def _servers(
    reader: Reader, model: Model, serving: list[Manifest], pods: list[Manifest]
) -> tuple[Server, ...]:
    """Return the servers of every version; KServe copies the model's label to their objects."""
    if not serving:
        return ()
    labels = {names.LABEL_MODEL: model.name}
    deployments = reader.labelled(DEPLOYMENT, model.namespace, labels)
    return reader.parsed(
        INFERENCE_SERVICE, serving, lambda body: read_server(body, pods, deployments)
    )


def _cleanups(reader: Reader, model: Model, settings: Settings) -> tuple[Cleanup, ...]:
    labels = {names.LABEL_MODEL: model.name, names.LABEL_MODEL_NAMESPACE: model.namespace}
    return reader.parsed(JOB, reader.labelled(JOB, settings.namespace, labels), read_cleanup)


def _admission(api: Api, servers: tuple[Server, ...]) -> tuple[KServeState, str]:
    """Return whether KServe's webhook answers, and why admission refuses the servers if it does.

    It is called only while something waits for KServe.
    """
    waiting = next((one for one in servers if not one.ready and not one.deleting), None)
    if waiting is None:
        return "Answering", ""
    try:
        api.try_admission(waiting.body)
    except WebhookUnavailable:
        return "Unavailable", ""
    except (KindMissing, Conflict):  # it was deleted or changed meanwhile
        return "Answering", ""
    except ApiError as error:
        return "Answering", str(error)
    return "Answering", ""


def _accounts(reader: Reader, model: Model, settings: Settings) -> frozenset[str]:
    if model.parsed is None:
        return frozenset()
    return frozenset(
        name
        for name in accounts(model, settings)
        if reader.get(SERVICE_ACCOUNT, model.namespace, name) is not None
    )


def _entrance(
    reader: Reader, model: Model, settings: Settings, *, gateway: bool
) -> Entrance | Closed:
    """Return where a model's requests are accepted: the Gateway or, without one, its Service."""
    if not gateway or settings.gateway is None:
        return Entrance("http", 80, (inside_host(model),))
    if settings.gateway_url:
        return entrance_of_url(settings.gateway_url)
    namespace, _, name = settings.gateway.partition("/")
    unread = len(reader.unread)
    body = reader.get(GATEWAY, namespace, name)
    if reader.unread[unread:]:
        return Closed(reader.unread[unread].finding.message)
    if body is None:
        return Closed(f"Gateway {settings.gateway} does not exist: create it, or fix gateway.name")
    host = outside_host(model, settings)
    return entrance_of_gateway(
        body, host=host, namespace=model.namespace, listener=settings.gateway_listener
    )


def _pointed(service: Pointer | None, route: Pointer | None, *, gateway: bool) -> str | None:
    """Return the version that Service and HTTPRoute both point at."""
    if service is None or (gateway and (route is None or route.version != service.version)):
        return None
    return service.version


def _answer(
    urls: Urls,
    model: Model,
    settings: Settings,
    entrance: Entrance | Closed,
    pointed: str | None,
) -> Answer | None:
    """Return the URL's answer, if the traffic points at one version and it was probed."""
    key = (model.namespace, model.name)
    if pointed is None or model.deleted is not None or isinstance(entrance, Closed):
        urls.forget(key)
        return Answer(None, entrance.message) if isinstance(entrance, Closed) else None
    inside = inside_host(model)
    host = inside if entrance.addresses == (inside,) else outside_host(model, settings)
    return urls.watch(key, Question(entrance, host, model.name), expected=pointed)


def _url(
    model: Model, settings: Settings, entrance: Entrance | Closed, *, gateway: bool
) -> str | None:
    """Return the URL clients use through the Gateway; the last known one while it is closed."""
    if not gateway or settings.gateway is None:
        return None
    if isinstance(entrance, Closed):
        return model.status.url
    return entrance.url(outside_host(model, settings))
