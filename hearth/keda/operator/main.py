"""The component ``keda``: scalers, ScaledObjects, ScaledJobs and the metrics that HPAs ask for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hearth.keda.api import keys
from hearth.keda.operator.aggregation import aggregated
from hearth.keda.operator.environment import COMPONENT, Environment, Resolved
from hearth.keda.operator.scaledobjects import ScaledObjectDaemon
from hearth.keda.operator.targets import Kinds
from hearth.keda.scalers import catalog
from hearth.keda.scaling.hpa import MANAGED_BY
from hearth.keda.scaling.observing import Metric
from hearth.knative.leaderelection import Candidacy
from hearth.kube.access import Access
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.election import Timing
from hearth.kube.events import EventRecorder
from hearth.kube.guards import keep_running
from hearth.kube.holders import Holders
from hearth.kube.kubeconfig import access_of
from hearth.kube.leadership import ALONE, Elected, Leadership
from hearth.kube.meta import Object, controller_of, namespace
from hearth.kube.resources import HPAS

log = logging.getLogger(__name__)

LEASE = "operator.keda.sh"
"""The Lease that KEDA's own operator takes: the two never act side by side."""


class NotInstalled(ValueError):
    """kopf is not there."""


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """How the component is set up."""

    kubeconfig: Path
    host: str = "127.0.0.1"
    """Where external metrics are served, and at which address API servers reach them."""
    metrics_port: int = 0
    """Of the external metrics; 0 takes a free one."""
    election: Candidacy | None = None
    """Who this replica is; None where it is the only one."""
    timeout: float = 3.0
    """Seconds that a server of a trigger may take to answer."""
    version: str = "2.18.0"
    """What labels say: the version of KEDA that this is compatible with."""


async def run(config: OperatorConfig, ready: Callable[[], None]) -> None:
    """Scale, until cancelled; where there are several replicas, while this one leads."""
    access = access_of(config.kubeconfig)
    async with KubeClient(access, user_agent=COMPONENT) as client:
        leadership = _leadership(client, config.election)
        await _while_leading(leadership, partial(_operate, client, access, config), ready)


def _leadership(client: KubeClient, candidacy: Candidacy | None) -> Leadership:
    if candidacy is None:
        return ALONE
    holders = None
    if candidacy.namespace:
        holders = Holders(client, candidacy.namespace, candidacy.pod)
    return Elected(
        client,
        namespace=candidacy.namespace or keys.NAMESPACE,
        buckets=[LEASE],
        identity=candidacy.identity(),
        timing=Timing(),
        holders=holders,
    )


async def _while_leading(
    leadership: Leadership,
    work: Callable[[Callable[[], None]], Awaitable[None]],
    ready: Callable[[], None],
) -> None:
    """A replica that waits to lead is ready: it serves nothing yet."""
    changed = asyncio.Event()
    leadership.on_change(changed.set)
    standing = asyncio.create_task(keep_running("leadership", leadership.run), name="leadership")
    try:
        if leadership is not ALONE:
            ready()
            ready = _nothing
        while True:
            changed.clear()
            if leadership.leads(("", LEASE)):
                await _until(work(ready), changed)
            else:
                await changed.wait()
    finally:
        standing.cancel()
        await asyncio.wait({standing})
        await leadership.release()


def _nothing() -> None:
    """Said already."""


async def _until(work: Awaitable[None], changed: asyncio.Event) -> None:
    running = asyncio.ensure_future(work)
    over = asyncio.create_task(changed.wait(), name="leadership-change")
    try:
        await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, over):
            task.cancel()
        await asyncio.wait({running, over})


async def _operate(
    client: KubeClient, access: Access, config: OperatorConfig, ready: Callable[[], None]
) -> None:
    try:
        from hearth.keda.operator.adapter import Adapter
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{error}: KEDA's kinds take kopf, of the extra `keda` of Hearth's package"
        ) from error
    recorder = EventRecorder(client)
    shared = catalog.Shared(client, wall_clock)
    env = Environment(
        client,
        Kinds(client),
        make=lambda trigger: catalog.make(trigger, shared),
        resolve=_unresolved,
        record=partial(recorder.record, component=COMPONENT),
        timeout=config.timeout,
        version=config.version,
    )
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_running("events", recorder.run), name="events")
        async with (
            _hpas(client, env),
            aggregated(
                client,
                partial(_ask, env),
                host=config.host,
                port=config.metrics_port,
                clock=wall_clock,
            ),
        ):
            group.create_task(_announced(started, ready), name="ready")
            await Adapter(env, access).run(started)


async def _announced(started: asyncio.Event, ready: Callable[[], None]) -> None:
    await started.wait()
    ready()


@contextlib.asynccontextmanager
async def _hpas(client: KubeClient, env: Environment) -> AsyncIterator[None]:
    """Tell daemons of their HPAs."""
    selector = f"app.kubernetes.io/managed-by={MANAGED_BY}"
    cache = WatchCache(client, HPAS, label_selector=selector)

    def tell(before: Object | None, hpa: Object | None) -> None:
        known = hpa or before or {}
        owner = controller_of(known)
        if owner is None or owner.get("kind") != keys.SCALEDOBJECTS.kind:
            return
        where = namespace(known), str(owner.get("name"))
        daemon = env.daemons.get((keys.SCALEDOBJECTS.kind, where))
        if isinstance(daemon, ScaledObjectDaemon):
            daemon.hpa_changed(hpa)

    cache.on_change(tell)
    watching = asyncio.create_task(cache.run(), name="watch-hpas")
    try:
        await cache.synced()
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _ask(env: Environment, where: str, name: str, metric: str) -> Metric | None:
    daemon = env.daemons.get((keys.SCALEDOBJECTS.kind, (where, name)))
    if not isinstance(daemon, ScaledObjectDaemon):
        raise LookupError(name)
    return await daemon.metric(metric)


async def _unresolved(
    reference: object, pod: Object | None, *, container: str, namespace: str
) -> Resolved:
    return Resolved()
