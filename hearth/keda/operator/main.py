"""The component ``keda``: scalers, ScaledObjects, ScaledJobs and the metrics that HPAs ask for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.shapes import AuthenticationRef
from hearth.keda.auth.resolve import container_env, resolve
from hearth.keda.auth.sources import Sources
from hearth.keda.external.hub import RouteHub
from hearth.keda.operator.aggregation import aggregated
from hearth.keda.operator.authentications import Authentications
from hearth.keda.operator.cloudevents import Emitter
from hearth.keda.operator.environment import COMPONENT, Environment, Resolved
from hearth.keda.operator.hpas import kept
from hearth.keda.operator.metrics import say_build
from hearth.keda.operator.scaledobjects import ScaledObjectDaemon
from hearth.keda.operator.targets import Kinds
from hearth.keda.scalers import catalog
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig
from hearth.keda.scaling.hpa import MANAGED_BY
from hearth.keda.scaling.observing import Metric
from hearth.keda.wishing import WishSender
from hearth.knative.autoscalers import Autoscalers, ElectedAutoscalers, OneAutoscaler
from hearth.knative.leaderelection import Address, Candidacy, read_config
from hearth.kube.access import Access
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.election import Timing
from hearth.kube.events import EventRecorder
from hearth.kube.guards import beside, keep_running
from hearth.kube.holders import Holders
from hearth.kube.kubeconfig import access_of
from hearth.kube.leadership import ALONE, Elected, Leadership
from hearth.kube.meta import Object, controller_of, namespace
from hearth.kube.plan import Event
from hearth.kube.resources import HPAS, LEASES
from hearth.kube.sharedtokens import TokenSource, kept_tokens
from hearth.kube.tokens import Tokens

log = logging.getLogger(__name__)

_SERVING, _CONTROL = "knative-serving", "hearth-serving"
"""Where Leases of Knative's autoscaler are, and what they begin with by themselves."""
_CONNECTIONS = 40
"""To the API server: a thousand daemons that begin together need not be a thousand of them."""
LEASE = "operator.keda.sh"
"""The Lease that KEDA's own operator takes: the two never act side by side."""

_TIMING = Timing(lease_duration=15.0, renew_deadline=10.0, retry_period=2.0)
"""How long its Lease holds: as KEDA's, a quarter of what Knative's components have."""


class NotInstalled(ValueError):
    """kopf is not there."""


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """How the component is set up."""

    kubeconfig: Path
    host: str = "127.0.0.1"
    """What external metrics and statistics are listened for at."""
    metrics_port: int = 0
    """Of the external metrics; 0 takes a free one."""
    address: str = ""
    """At which API servers reach them; ``host`` where nothing is said."""
    stats_port: int = 0
    """Where activators report on routes, and questions are answered; 0 takes a free one."""
    stats_token: TokenSource = ""
    """What those show who report and who ask."""
    autoscaler: Address | None = None
    """Where Knative's autoscaler is told of wishes; None: found by its Leases, in a cluster."""
    election: Candidacy | None = None
    """Who this replica is; None where it is the only one."""
    timing: Timing = _TIMING
    timeout: float = 3.0
    """Seconds that a server of a trigger may take to answer."""
    proxy: str = ""
    """The URL of the gateway's internal listener, where Services' names cannot be resolved."""
    version: str = "2.18.0"
    """What labels say: the version of KEDA that this is compatible with."""
    cluster_namespace: str = keys.NAMESPACE
    """Where Secrets of ClusterTriggerAuthentications are (KEDA_CLUSTER_OBJECT_NAMESPACE)."""
    restrict_secrets: bool = False
    """Whether only Secrets there are read (KEDA_RESTRICT_SECRET_ACCESS)."""

    def sources(self, client: KubeClient) -> Sources:
        """Return where authentications are read."""
        return Sources(
            client,
            self.cluster_namespace,
            restrict_secrets=self.restrict_secrets,
            timeout=self.timeout,
        )


async def run(config: OperatorConfig, ready: Callable[[], None]) -> None:
    """Scale, until cancelled; where there are several replicas, while this one leads."""
    access = access_of(config.kubeconfig)
    async with KubeClient(access, user_agent=COMPONENT, most_connections=_CONNECTIONS) as client:
        leadership = _leadership(client, config.election, config.timing)
        await _while_leading(leadership, partial(_operate, client, access, config), ready)


def _leadership(client: KubeClient, candidacy: Candidacy | None, timing: Timing) -> Leadership:
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
        timing=timing,
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
                if await _ended(work(ready), changed):
                    return
            else:
                await changed.wait()
    finally:
        standing.cancel()
        await asyncio.wait({standing})
        await leadership.release()


def _nothing() -> None:
    """Said already."""


async def _ended(work: Awaitable[None], changed: asyncio.Event) -> bool:
    """Whether it ended by itself, as kopf does when the process is told to end."""
    running = asyncio.ensure_future(work)
    over = asyncio.create_task(changed.wait(), name="leadership-change")
    try:
        await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return running.done()
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
    say_build(config.version)
    recorder = EventRecorder(client)
    emitter = Emitter(client, wall_clock, timeout=config.timeout)
    env = Environment(
        client,
        Kinds(client),
        make=_unmade,
        resolve=partial(_resolve, config.sources(client)),
        record=partial(_record, recorder, emitter),
        timeout=config.timeout,
        version=config.version,
        proxy=config.proxy,
    )
    authentications = Authentications(client, env.record)
    started = asyncio.Event()
    async with (
        kept_tokens(client, config.stats_token, waits=False) as tokens,
        _wishing(client, config, env, tokens),
        _routes(client, config, env, tokens),
        _hpas(client, env),
        aggregated(
            client,
            partial(_ask, env),
            listen=(config.host, config.metrics_port),
            address=config.address or config.host,
            clock=wall_clock,
        ),
        beside("events", recorder.run),
        beside("cloudevents", emitter.run),
        beside("authentications", authentications.run),
        beside("ready", partial(_announced, started, ready)),
    ):
        await Adapter(env, access, authentications).run(started)


def _record(recorder: EventRecorder, emitter: Emitter, event: Event) -> None:
    recorder.record(event, component=COMPONENT)
    emitter.record(event)


def _unmade(trigger: TriggerConfig) -> Scaler:
    raise ConfigError(f"no scaler found for type: {trigger.type}")


@contextlib.asynccontextmanager
async def _routes(
    client: KubeClient, config: OperatorConfig, env: Environment, tokens: Tokens
) -> AsyncIterator[None]:
    """Make scalers: those of routes in this process, others by their types."""
    shared = catalog.Shared(client, wall_clock)
    async with RouteHub(
        client, tokens, config.host, config.stats_port, explain=partial(_explain, env)
    ) as hub:

        def make(trigger: TriggerConfig) -> Scaler:
            return hub.scaler(trigger) if hub.answers(trigger) else catalog.make(trigger, shared)

        env.make = make
        yield


@contextlib.asynccontextmanager
async def _wishing(
    client: KubeClient, config: OperatorConfig, env: Environment, tokens: Tokens
) -> AsyncIterator[None]:
    """Tell Knative's autoscaler what is wished for of Services and Revisions."""
    async with contextlib.AsyncExitStack() as stack:
        autoscalers: Autoscalers
        if config.autoscaler is not None:
            autoscalers = OneAutoscaler(config.autoscaler)
        else:
            leading = await read_config(client, _SERVING)
            autoscalers = ElectedAutoscalers(leading.leases(_CONTROL))
            leases = WatchCache(client, LEASES, namespace=_SERVING)
            leases.on_change(autoscalers.lease_changed)
            await stack.enter_async_context(beside("watch-leases", leases.run))
        sender = WishSender(autoscalers, tokens=tokens)
        env.wish = sender.wish
        await stack.enter_async_context(beside("wishes", sender.run))
        yield


def _explain(env: Environment, where: str, name: str) -> dict[str, Any] | None:
    daemon = env.daemons.get((keys.SCALEDOBJECTS.kind, (where, name)))
    if not isinstance(daemon, ScaledObjectDaemon):
        return None
    told = daemon.explained()
    return {"explanations": [] if told is None else [told.json()], "elsewhere": []}


async def _announced(started: asyncio.Event, ready: Callable[[], None]) -> None:
    await started.wait()
    ready()


@contextlib.asynccontextmanager
async def _hpas(client: KubeClient, env: Environment) -> AsyncIterator[None]:
    """Tell daemons of their HPAs."""
    selector = f"app.kubernetes.io/managed-by={MANAGED_BY}"
    cache = WatchCache(client, HPAS, label_selector=selector, keep=kept)

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
    async with beside("watch-hpas", cache.run):
        await cache.synced()
        yield


async def _ask(env: Environment, where: str, name: str, metric: str) -> Metric | None:
    daemon = env.daemons.get((keys.SCALEDOBJECTS.kind, (where, name)))
    if not isinstance(daemon, ScaledObjectDaemon):
        raise LookupError(name)
    return await daemon.metric(metric)


async def _resolve(
    sources: Sources,
    reference: AuthenticationRef | None,
    pod: Object | None,
    *,
    container: str,
    namespace: str,
) -> Resolved:
    """Read anew each time: secrets change."""
    env = await container_env(pod, container, namespace, sources) if pod is not None else {}
    found = await resolve(reference, pod, namespace=namespace, sources=sources)
    return Resolved(found.parameters, env, found.pod_identity, found.warnings)
