"""The cluster in memory behind HTTP, with faults on demand."""

import asyncio
import copy
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import kmock
from support.world import World

from taxon_kube.api import (
    KINDS,
    AlreadyExists,
    Conflict,
    Kind,
    KindMissing,
    Manifest,
    WebhookUnavailable,
)

TICK_SECONDS = 0.05


@dataclass
class Fault:
    """What the next matching calls are answered with instead."""

    method: str
    status: int
    times: int
    kind: str = ""
    watch: bool = False
    message: str = "the test wants it so"
    seen: int = 0


@dataclass
class Emulated:
    """An API server: discovery by kmock, objects by the world, faults by the test."""

    world: World
    faults: list[Fault] = field(default_factory=list)
    deaf: bool = False
    calls: list[str] = field(default_factory=list)

    def serve(self, api: kmock.KubernetesScaffold) -> None:
        """Answer for every kind the controller knows and that is installed."""
        for known in ("v1/namespaces", "apiextensions.k8s.io/v1/customresourcedefinitions"):
            # kopf waits for these two to be there
            api.resources[known] = kmock.ResourceInfo(namespaced=False, verbs={"list", "watch"})
        for kind in KINDS.values():
            if kind.name not in self.world.missing:
                api.resources[f"{kind.api_version}/{kind.plural}"] = {
                    "kind": kind.name,
                    "singular": kind.name.lower(),
                    "namespaced": True,
                    "verbs": ["get", "list", "watch", "patch", "create", "update", "delete"],
                    "subresources": ["status"],
                    "shortnames": [],
                    "categories": [],
                }
        plurals = "|".join(kind.plural for kind in KINDS.values())
        api[re.compile(rf"/apis?/.*/({plurals})(/.*)?")] << self._answer

    def _answer(self, request: kmock.Request) -> Any:
        """Answer one call: a single reaction, because kmock tries all it has for every call."""
        if request.method != kmock.method.GET:
            return self._write(request)
        watches = request.action == kmock.action.WATCH
        return self._watch(request) if watches else self._read(request)

    def fail(self, method: str, status: int, *, times: int = 1, **more: Any) -> Fault:
        """Answer the next calls with this status; for more, see :class:`Fault`."""
        fault = Fault(method, status, times, **more)
        self.faults.append(fault)
        return fault

    def _fault(self, request: kmock.Request, kind: Kind, *, watch: bool = False) -> None:
        self.calls.append(f"{request.method.value} {kind.name}")
        for fault in self.faults:
            fits = fault.method in ("*", request.method.value) and fault.kind in ("", kind.name)
            if fits and fault.seen < fault.times and (watch or not fault.watch):
                fault.seen += 1
                raise _error(fault.status, "Fault", fault.message)

    def _read(self, request: kmock.Request) -> Any:
        kind = _kind(request)
        self._fault(request, kind)
        with _told_as_status():
            if request.name:
                found = self.world.get(kind, request.namespace or "", request.name)
                if found is None:
                    raise _error(404, "NotFound", "there is none")
                return found
            selector = request.params.get("labelSelector", "")
            labels = dict(part.split("=") for part in selector.split(",") if "=" in part)
            items = self.world.list(kind, request.namespace, labels=labels)
            return {
                "apiVersion": kind.api_version,
                "kind": f"{kind.name}List",
                "metadata": {"resourceVersion": str(len(self.world.log))},
                "items": items,
            }

    async def _watch(self, request: kmock.Request) -> AsyncIterator[Any]:
        kind = _kind(request)
        self._fault(request, kind, watch=True)
        yield b""
        position = int(request.params.get("resourceVersion", len(self.world.log)))
        while True:
            while position < len(self.world.log) and not self.deaf:
                what, body = self.world.log[position]
                position += 1
                here = request.namespace in (None, body["metadata"]["namespace"])
                if body["kind"] == kind.name and here:
                    yield {"type": what, "object": body}
            broken = [one for one in self.faults if one.watch and one.seen < one.times]
            for fault in broken:
                fault.seen += 1
                yield {"type": "ERROR", "object": {"kind": "Status", "code": fault.status}}
                return
            await asyncio.sleep(TICK_SECONDS)

    def _write(self, request: kmock.Request) -> Any:
        kind = _kind(request)
        self._fault(request, kind)
        body: Manifest = copy.deepcopy(request.data or {})
        with _told_as_status():
            if request.method == kmock.method.POST:
                return self.world.create(body)
            if request.method == kmock.method.PATCH:
                if "dryRun" in request.params:
                    self.world.try_admission(body)
                    return body
                return self.world.apply(body)
            if request.method == kmock.method.PUT:
                return self._replace(kind, body, request.subresource or "")
            conditions = body["preconditions"]
            metadata = {"namespace": request.namespace, "name": request.name, **conditions}
            self.world.delete(kind, {"metadata": metadata})
            return {"kind": "Status", "status": "Success"}

    def _replace(self, kind: Kind, body: Manifest, part: str) -> Manifest:
        if kind.name == "Lease":
            return self.world.replace(body, part="spec")
        return self.world.replace(body, part=part)


def _kind(request: kmock.Request) -> Kind:
    assert request.resource is not None
    found = [kind for kind in KINDS.values() if kind.plural == request.resource.plural]
    return found[0]


@contextmanager
def _told_as_status() -> Iterator[None]:
    """Say the world's errors as the API server does."""
    try:
        yield
    except KindMissing as error:
        raise _error(404, "NotFound", str(error)) from error
    except AlreadyExists as error:
        raise _error(409, "AlreadyExists", str(error)) from error
    except Conflict as error:
        raise _error(409, "Conflict", str(error)) from error
    except WebhookUnavailable as error:
        raise _error(500, "InternalError", str(error)) from error


def _error(status: int, reason: str, message: str) -> kmock.KubernetesError:
    return kmock.KubernetesError(status=status, reason=reason, message=message, details={})
