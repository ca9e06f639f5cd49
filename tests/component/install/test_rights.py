"""Each component may do what it does, and nothing else.

Hearth's programs run as in a cluster, with the tokens of their ServiceAccounts, against an API
server that holds them to the rules of ``config/base`` and records what they ask for. What they do
here is meant to be everything they ever do: a rule that is missing fails what needs it, and a rule
that nothing needed is one too many.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from eventing.api.deliveryoptions import CONCURRENCY
from eventing.api.keys import PROBLEM_ANNOTATION
from eventing.api.schemachecks import SCHEMA_CHECK
from hearth.cli.components import written_views
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.rest import http
from hearth.install.bundle import Choice, objects_of
from hearth.install.cluster import Cluster
from hearth.install.installer import Installer
from hearth.keda.api.keys import HTTPSCALEDOBJECTS, INTERCEPTORROUTES
from hearth.knative.resources import (
    APISERVERSOURCES,
    BROKERS,
    CERTIFICATES,
    CHANNELS,
    CLUSTERDOMAINCLAIMS,
    CONFIGURATIONS,
    CONTAINERSOURCES,
    DOMAINMAPPINGS,
    EVENTPOLICIES,
    EVENTTRANSFORMS,
    EVENTTYPES,
    INMEMORYCHANNELS,
    INTEGRATIONSINKS,
    INTEGRATIONSOURCES,
    JOBSINKS,
    KAFKACHANNELS,
    KAFKASINKS,
    KAFKASOURCES,
    KINGRESSES,
    KSERVICES,
    NATSJETSTREAMCHANNELS,
    PARALLELS,
    PINGSOURCES,
    PODAUTOSCALERS,
    REQUESTREPLIES,
    REVISIONS,
    ROUTES,
    SEQUENCES,
    SINKBINDINGS,
    SUBSCRIPTIONS,
    TRIGGERS,
    WEBHOOKSOURCES,
)
from hearth.kube import meta
from hearth.kube.certificates import issued, new_authority
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import NotFound
from hearth.kube.install import config_folder
from hearth.kube.meta import Object, name
from hearth.kube.resources import (
    CONFIGMAPS,
    CRDS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    EVENTS,
    HPAS,
    JOBS,
    MUTATING_WEBHOOKS,
    PODS,
    REPLICASETS,
    ROLEBINDINGS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    Resource,
)
from hearth.kube.views import DELETION_COST
from hearth.servicebinding.keys import SERVICEBINDINGS
from serving.api.keys import ASYNC, DEPLOYMENT_HASH
from tests.component.foreign.conftest import Kubelet, kubernetes_controllers
from tests.component.install.rbac import ACCOUNT, Call, Grant, Recorder, grants_of
from tests.ports import free_port
from tests.waiting import is_ready

WAIT_SECONDS = 60.0
CONFIG_OF_KEDA = Path(__file__).resolve().parents[3] / "crds" / "keda"
_NOW = datetime.datetime.now(datetime.UTC)
SERVING, EVENTING = "knative-serving", "knative-eventing"
PING_ADAPTER = "pingsource-mt-adapter"
RECEIVER = "webhooksource-receiver"
PORTS = (
    "METRICS",
    "HEALTH",
    "GATEWAY",
    "INTERNAL",
    "GATEWAY_TLS",
    "INTERNAL_TLS",
    "PEERS",
    "WEBHOOK",
    "EVENTING_WEBHOOK",
    "STATS",
    "KEDA_STATS",
    "KEDA_METRICS",
    "BROKER",
    "BROKER_ADMIN",
    "BROKER_TLS",
    "WEBHOOKS",
    "PIPELINES",
)
CHOICE = Choice(overlays=("serverlessservices", "servicebinding"))
NOT_ASKED = {
    # An admission plugin that the one-machine API server does not have asks for these
    # (OwnerReferencesPermissionEnforcement): nobody sends a request to the subresource.
    ("update", "", "namespaces/finalizers"),
    ("update", "serving.knative.dev", "services/finalizers"),
    ("update", "serving.knative.dev", "configurations/finalizers"),
    ("update", "serving.knative.dev", "revisions/finalizers"),
    ("update", "serving.knative.dev", "routes/finalizers"),
    ("update", "serving.knative.dev", "domainmappings/finalizers"),
    ("update", "autoscaling.internal.knative.dev", "podautoscalers/finalizers"),
    ("update", "networking.internal.knative.dev", "certificates/finalizers"),
    ("update", "networking.internal.knative.dev", "ingresses/finalizers"),
    ("update", "messaging.knative.dev", "channels/finalizers"),
    ("update", "messaging.knative.dev", "inmemorychannels/finalizers"),
    ("update", "messaging.knative.dev", "kafkachannels/finalizers"),
    ("update", "messaging.knative.dev", "natsjetstreamchannels/finalizers"),
    ("update", "flows.knative.dev", "sequences/finalizers"),
    ("update", "flows.knative.dev", "parallels/finalizers"),
    ("update", "sources.knative.dev", "apiserversources/finalizers"),
    ("update", "sources.knative.dev", "integrationsources/finalizers"),
    ("update", "sinks.knative.dev", "integrationsinks/finalizers"),
    ("update", "sources.knative.dev", "containersources/finalizers"),
    ("update", "sources.knative.dev", "kafkasources/finalizers"),
    ("update", "sources.knative.dev", "pingsources/finalizers"),
    ("update", "sources.hearth.dev", "webhooksources/finalizers"),
    # The one-machine API server reviews nobody: there is one user, and his token is the admin's.
    ("create", "authentication.k8s.io", "tokenreviews"),
    ("create", "authorization.k8s.io", "subjectaccessreviews"),
    # A Role gives no more than who makes it may do: those of streams' positions.
    ("get", "", "configmaps"),
    ("patch", "", "configmaps"),
    # Where two replicas reach for a Lease at the same moment, the second looks again.
    ("get", "coordination.k8s.io", "leases"),
}
"""What is granted for cases that do not come about here, by verb, group and resource."""


class Hearth:
    """The programs of Hearth, each as its pod starts it."""

    def __init__(
        self, server: RunningServer, client: KubeClient, folder: Path, recorder: Recorder
    ) -> None:
        self.client = client
        self.recorder = recorder
        self.folder = folder
        self.ports = {each: free_port() for each in PORTS}
        self._server = server

    async def start(
        self, stack: AsyncExitStack, component: str, where: str, *, account: str = ""
    ) -> None:
        """Run ``hearth run COMPONENT`` until the stack is left; return once it is ready."""
        kubeconfig = await self._kubeconfig(account or f"hearth-{component}", where)
        ports = {f"HEARTH_{each}_PORT": str(port) for each, port in self.ports.items()}
        own = {f"HEARTH_{each}_PORT": str(free_port()) for each in ("METRICS", "HEALTH")}
        log = (self.folder / f"{component}.log").open("wb")
        stack.callback(log.close)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hearth.cli",
            "run",
            component,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                **ports,
                **own,
                "KUBECONFIG": str(kubeconfig),
                "POD_NAME": f"hearth-{component}-0",
                "POD_NAMESPACE": where,
                "POD_IP": "127.0.0.1",
                "HEARTH_DATA_DIR": str(self.folder),
                "HEARTH_SERVERLESS_SERVICES": "true",
                "HEARTH_SERVICE_BINDINGS": "true",
                "HEARTH_DRAIN_DELAY_SECONDS": "0",
                "HEARTH_DRAIN_SECONDS": "1",
                "HEARTH_PRE_STOP_SECONDS": "1",
            },
        )
        stack.push_async_callback(_ended, process)
        await self.until(lambda: self._is_ready(process, int(own["HEARTH_HEALTH_PORT"])))

    async def _is_ready(self, process: asyncio.subprocess.Process, port: int) -> bool:
        assert process.returncode is None, _logs(self.folder)
        return await is_ready(port)

    async def _kubeconfig(self, account: str, where: str) -> Path:
        """The kubeconfig with the token of a ServiceAccount."""
        path = f"/api/v1/namespaces/{where}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await self.client.request("POST", path, body=request)
        content = yaml.safe_load(self._server.kubeconfig.read_text())
        content["users"][0]["user"] = {"token": answer["status"]["token"]}
        found = self.folder / f"{account}.kubeconfig"
        found.write_text(yaml.safe_dump(content))
        return found

    async def lead_webhooks_here(self) -> None:
        """What the cluster's own controller would do for the pod of the webhooks."""
        ports = (("https", "WEBHOOK"), ("https-events", "EVENTING_WEBHOOK"))
        labels = {"kubernetes.io/service-name": "hearth-webhook"}
        await self.client.create(
            ENDPOINTSLICES,
            {
                "apiVersion": ENDPOINTSLICES.api_version,
                "kind": ENDPOINTSLICES.kind,
                "metadata": {"name": "hearth-webhook", "namespace": SERVING, "labels": labels},
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
                "ports": [{"name": title, "port": self.ports[of]} for title, of in ports],
            },
        )

    # -- what a user does ----------------------------------------------------------------------

    async def make(
        self, resource: Resource, title: str, spec: Any, *, dry_run: bool = False
    ) -> None:
        metadata = {"name": title, "namespace": "default"}
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        await self.client.create(resource, {**obj, "spec": spec}, dry_run=dry_run)

    async def service(self, title: str, **annotations: str) -> None:
        own = {"autoscaling.knative.dev/" + k.replace("_", "-"): v for k, v in annotations.items()}
        await self.make(KSERVICES, title, {"template": template(**own)})
        await self.ready(KSERVICES, title)

    async def ready(self, resource: Resource, title: str) -> None:
        async def is_ready() -> bool:
            return Conditions.of(await self.client.get(resource, title, "default")).is_true("Ready")

        await self.until(is_ready)

    async def change(self, resource: Resource, title: str, **patch: Any) -> None:
        await self.client.patch(resource, title, "default", patch)

    async def settings(self, title: str, **data: str | None) -> None:
        data = {key.replace("_", "-"): value for key, value in data.items()}
        await self.client.patch(CONFIGMAPS, title, SERVING, {"data": data})

    async def there(self, resource: Resource, title: str) -> bool:
        where = "default" if resource.namespaced else None
        try:
            return bool(await self.client.get(resource, title, where))
        except NotFound:
            return False

    async def gone(self, resource: Resource, title: str) -> bool:
        return not await self.there(resource, title)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await condition():
                await asyncio.sleep(0.02)


def template(value: str = "1", **annotations: str) -> Object:
    env = [{"name": "VALUE", "value": value}]
    spec = {"containers": [{"image": "elsewhere/app:1", "env": env}], "timeoutSeconds": 20}
    return {"metadata": {"annotations": annotations}, "spec": spec}


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in folder.glob("*.log"))


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(WAIT_SECONDS):
        await process.wait()


@asynccontextmanager
async def running(folder: Path, recorder: Recorder) -> AsyncIterator[Hearth]:
    """A cluster with Hearth in it: all but its pods and Kubernetes' own controllers is real."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder / "api"))
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test")
        )
        objects = objects_of(config_folder(), CHOICE)
        await Installer(Cluster(client), objects, say=lambda _: None, chosen={}).apply(seconds=60)
        for obj in (await client.list(DEPLOYMENTS, SERVING))[0]:
            await client.delete(DEPLOYMENTS, name(obj), SERVING)  # here they are processes
        kubelet = Kubelet(client)
        kubelet.ready.set()
        for main in (kubelet.run(), kubernetes_controllers(client)):
            stack.push_async_callback(_cancelled, asyncio.ensure_future(main))
        hearth = Hearth(server, client, folder, recorder)
        await hearth.lead_webhooks_here()
        await hearth.start(stack, "control", SERVING)
        await hearth.start(stack, "activator", SERVING)
        await hearth.start(stack, "broker", EVENTING)
        yield hearth


async def _cancelled(task: asyncio.Future[None]) -> None:
    """One that ended by itself says why."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _serve(hearth: Hearth) -> None:
    """Services, revisions, traffic, tags, garbage, drift."""
    await hearth.settings("config-gc", min_non_active_revisions="0", max_non_active_revisions="0")
    await hearth.make(KSERVICES, "one", {"template": template()}, dry_run=True)
    await hearth.make(CONFIGURATIONS, "bare", {"template": template()})
    traffic = [{"configurationName": "bare", "percent": 100}]
    await hearth.make(ROUTES, "bare", {"traffic": traffic})
    await hearth.ready(ROUTES, "bare")
    await hearth.service("one")
    await hearth.change(KSERVICES, "one", spec={"template": template("2")})
    await hearth.until(lambda: hearth.gone(REVISIONS, "one-00001"))
    latest = {"latestRevision": True, "percent": 100}
    await hearth.change(KSERVICES, "one", spec={"traffic": [{**latest, "tag": "t"}]})
    await hearth.until(lambda: hearth.there(SERVICES, "t-one"))
    await hearth.change(KSERVICES, "one", spec={"traffic": [latest]})
    await hearth.until(lambda: hearth.gone(SERVICES, "t-one"))
    stray = {"metadata": {"labels": {"stray": "x"}}}
    for resource, title, patch in (
        (DEPLOYMENTS, "one-00002-deployment", {"metadata": {"labels": {DEPLOYMENT_HASH: "x"}}}),
        (SERVICES, "one-00002", {"spec": {"selector": {"stray": "x"}}}),
        (PODAUTOSCALERS, "one-00002", {"spec": {"containerConcurrency": 7}}),
        (KINGRESSES, "one", stray),
        (CONFIGURATIONS, "one", stray),
        (ROUTES, "one", stray),
    ):
        await _mended(hearth, resource, title, patch)


async def _mended(hearth: Hearth, resource: Resource, title: str, patch: Object) -> None:
    """Somebody changes a child, and it is put right."""
    before = await hearth.client.get(resource, title, "default")
    await hearth.client.patch(resource, title, "default", patch)

    async def is_mended() -> bool:
        now = await hearth.client.get(resource, title, "default")
        return (now["spec"], meta.labels(now)) == (before["spec"], meta.labels(before))

    await hearth.until(is_mended)


async def _scale(hearth: Hearth) -> None:
    """A HorizontalPodAutoscaler, and a pod that is given up as the least busy one."""
    cpu = {"class": "hpa.autoscaling.knative.dev", "metric": "cpu", "target": "70"}
    await hearth.service("cpu", **cpu)
    await _mended(hearth, HPAS, "cpu-00001", {"spec": {"maxReplicas": 3}})
    await hearth.service("two", initial_scale="2", window="6s")

    async def one_is_given_up() -> bool:
        pods, _ = await hearth.client.list(PODS, "default")
        return any(DELETION_COST in meta.annotations(pod) for pod in pods)

    await hearth.until(one_is_given_up)


async def _burst(hearth: Hearth) -> None:
    """Activators are shown in the path of a revision that asks for a burst capacity, and not."""
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "activators",
            "namespace": "knative-serving",
            "labels": {"autoscaling.hearth.dev/activators": "true"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"name": "http", "port": 8012}],
    }
    await hearth.client.create(ENDPOINTSLICES, endpoints)
    await hearth.service("burst", **{"target-burst-capacity": "-1"})
    shown = "burst-00001-activators"
    await hearth.until(lambda: hearth.there(ENDPOINTSLICES, shown))
    more = {"endpoints": [{"addresses": ["10.0.0.2"]}]}
    await hearth.client.patch(ENDPOINTSLICES, "activators", "knative-serving", more)

    async def is_followed() -> bool:
        found = await hearth.client.get(ENDPOINTSLICES, shown, "default")
        return bool(found["endpoints"][0]["addresses"] == ["10.0.0.2"])

    await hearth.until(is_followed)
    await hearth.client.delete(ENDPOINTSLICES, "activators", "knative-serving")
    await hearth.until(lambda: hearth.gone(ENDPOINTSLICES, shown))
    for each in written_views():
        await hearth.until(partial(hearth.there, each, "burst-00001"))
        await _mended(hearth, each, "burst-00001", {"metadata": {"labels": {"by": "somebody"}}})


async def _map(hearth: Hearth) -> None:
    """A domain that is claimed, taken over by an older route, and given back."""
    await hearth.settings("config-network", autocreate_cluster_domain_claims="true")
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "one"}
    domain = "one.default.example.org"
    await hearth.make(DOMAINMAPPINGS, domain, {"ref": reference})
    await hearth.until(lambda: hearth.there(KINGRESSES, domain))
    await hearth.settings("config-domain", **{"example.com": None, "example.org": ""})
    await hearth.until(lambda: hearth.gone(KINGRESSES, domain))
    await hearth.client.delete(DOMAINMAPPINGS, domain, "default")
    await hearth.until(lambda: hearth.gone(CLUSTERDOMAINCLAIMS, domain))
    # One with a certificate of the user's own, which the gateway reads.
    pair = issued(new_authority("test", ["test"], _NOW), ["one.test"], _NOW)
    data = {"tls.crt": pair.chain, "tls.key": pair.key}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mine", "namespace": "default"},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
    await hearth.client.create(SECRETS, secret)
    await hearth.make(DOMAINMAPPINGS, "one.test", {"ref": reference, "tls": {"secretName": "mine"}})
    await hearth.ready(DOMAINMAPPINGS, "one.test")


async def _certify(hearth: Hearth) -> None:
    """Certificates are asked for, of cert-manager as well; changed, and given up."""
    for group, plural, kind in (
        ("cert-manager.io", "certificates", "Certificate"),
        ("acme.cert-manager.io", "challenges", "Challenge"),
    ):
        await hearth.client.create(CRDS, _any_kind(group, plural, kind))
    await hearth.settings("config-network", external_domain_tls="Enabled")
    requests = Resource("cert-manager.io", "v1", "certificates", "Certificate")
    await hearth.until(lambda: _some(hearth, requests, lambda o: True))
    await hearth.until(lambda: _some(hearth, CERTIFICATES, lambda o: bool(o.get("status"))))
    issuer = "name: other"
    await hearth.settings("config-certmanager", issuerRef=issuer)
    await hearth.until(
        lambda: _some(hearth, requests, lambda o: o["spec"]["issuerRef"]["name"] == "other")
    )
    latest = {"latestRevision": True, "percent": 100}
    await hearth.change(KSERVICES, "one", spec={"traffic": [{**latest, "tag": "t"}]})
    tagged = "t-one.default.example.org"
    await hearth.until(lambda: _some(hearth, CERTIFICATES, lambda o: _is_for(o, tagged)))
    await hearth.change(KSERVICES, "one", spec={"traffic": [latest]})
    await hearth.until(lambda: _none(hearth, CERTIFICATES, lambda o: _is_for(o, tagged)))
    await hearth.settings("config-domain", **{"example.org": None, "example.net": ""})
    other = "one.default.example.net"
    await hearth.until(lambda: _some(hearth, CERTIFICATES, lambda o: _is_for(o, other)))
    await hearth.settings("config-network", external_domain_tls=None)


def _is_for(certificate: Object, host: str) -> bool:
    return host in certificate["spec"]["dnsNames"]


async def _some(hearth: Hearth, resource: Resource, fits: Callable[[Object], bool]) -> bool:
    return any(map(fits, (await hearth.client.list(resource, "default"))[0]))


async def _none(hearth: Hearth, resource: Resource, fits: Callable[[Object], bool]) -> bool:
    return not await _some(hearth, resource, fits)


def _any_kind(group: str, plural: str, kind: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


async def _send(hearth: Hearth) -> None:
    """A broker with triggers for everything that can be sent to."""
    await hearth.make(BROKERS, "b", {})
    await hearth.ready(BROKERS, "b")
    for resource, title in ((KSERVICES, "one"), (ROUTES, "one"), (BROKERS, "b"), (SERVICES, "one")):
        to = {"apiVersion": resource.api_version, "kind": resource.kind, "name": title}
        own = resource.kind.lower() + resource.group.partition(".")[0]
        await hearth.make(TRIGGERS, own, {"broker": "b", "subscriber": {"ref": to}})
        await hearth.ready(TRIGGERS, own)


async def _subscribe(hearth: Hearth) -> None:
    """A channel with a type and a subscriber, who leaves it; flows, one of which gets shorter."""
    await hearth.make(CHANNELS, "c", {})
    await hearth.ready(CHANNELS, "c")
    channel = {"apiVersion": CHANNELS.api_version, "kind": CHANNELS.kind, "name": "c"}
    to = {"uri": "http://subscriber.example.com"}
    await hearth.make(SUBSCRIPTIONS, "s", {"channel": channel, "subscriber": to})
    await hearth.ready(SUBSCRIPTIONS, "s")
    attributes = [{"name": "type", "value": "t"}]
    await hearth.make(EVENTTYPES, "t", {"reference": channel, "attributes": attributes})
    await hearth.ready(EVENTTYPES, "t")
    # From now on events of the Broker are checked by the schemas of EventTypes.
    checked = {"metadata": {"annotations": {SCHEMA_CHECK: "enforce"}}}
    await hearth.client.patch(BROKERS, "b", "default", checked)
    asked = {"metadata": {"annotations": {CONCURRENCY: "1"}}}
    await hearth.client.patch(CHANNELS, "c", "default", asked)
    await hearth.until(partial(_is_handed, hearth))
    await hearth.client.delete(SUBSCRIPTIONS, "s", "default")
    await hearth.until(lambda: hearth.gone(SUBSCRIPTIONS, "s"))
    await hearth.make(PARALLELS, "p", {"branches": [{"subscriber": to}]})
    await hearth.ready(PARALLELS, "p")
    await hearth.make(SEQUENCES, "q", {"steps": [to, to]})
    await hearth.ready(SEQUENCES, "q")
    other = {"uri": "http://another.example.com"}
    await hearth.change(SEQUENCES, "q", spec={"steps": [other]})
    await hearth.until(lambda: hearth.gone(INMEMORYCHANNELS, "q-kn-sequence-1"))
    await hearth.ready(SUBSCRIPTIONS, "q-kn-sequence-0")
    await _answer_later(hearth)
    for kind in (KAFKACHANNELS, NATSJETSTREAMCHANNELS):
        await _subscribe_to(kind, hearth, [to, other])


async def _answer_later(hearth: Hearth) -> None:
    """A Service that lets requests be answered later, with fewer retries, and no more."""

    async def asks(text: str | None) -> None:
        await hearth.change(KSERVICES, "one", metadata={"annotations": {ASYNC: text}})

    async def has_retries(count: int) -> bool:
        if await hearth.gone(SEQUENCES, "one-async"):
            return False
        flow = await hearth.client.get(SEQUENCES, "one-async", "default")
        return bool(flow["spec"]["steps"][0]["delivery"]["retry"] == count)

    for text, count in (("true", 3), ("{retries: 1}", 1)):
        await asks(text)
        await hearth.until(partial(has_retries, count))
    await asks(None)
    await hearth.until(lambda: hearth.gone(SEQUENCES, "one-async"))


async def _subscribe_to(kind: Resource, hearth: Hearth, steps: list[Any]) -> None:
    """A flow over channels whose server is nowhere: that is told."""
    title = f"n{kind.plural[0]}"
    template = {"apiVersion": kind.api_version, "kind": kind.kind}
    await hearth.make(SEQUENCES, title, {"steps": steps, "channelTemplate": template})

    async def is_told() -> bool:
        found = await hearth.client.get(kind, f"{title}-kn-sequence-0", "default")
        told = (found.get("status") or {}).get("annotations") or {}
        return bool(found["spec"].get("subscribers")) and PROBLEM_ANNOTATION in told

    await hearth.until(lambda: hearth.there(kind, f"{title}-kn-sequence-0"))
    await hearth.until(is_told)
    await hearth.change(SEQUENCES, title, spec={"steps": steps[:1], "channelTemplate": template})
    await hearth.until(lambda: hearth.gone(kind, f"{title}-kn-sequence-1"))


async def _is_handed(hearth: Hearth) -> bool:
    found = await hearth.client.get(INMEMORYCHANNELS, "c", "default")
    return CONCURRENCY in (found["metadata"].get("annotations") or {})


async def _authenticate(hearth: Hearth) -> None:
    """Senders must say who they are; policies are handed on, changed, and taken back."""
    flags: Any = {"authentication-oidc": "enabled"}
    await hearth.client.patch(CONFIGMAPS, "config-features", EVENTING, {"data": flags})
    account = "oidc-oidc-eventing.knative.dev-trigger"
    nowhere = {"uri": "http://127.0.0.1:9/", "audience": "nobody"}
    await hearth.make(TRIGGERS, "oidc", {"broker": "b", "subscriber": nowhere})
    await hearth.until(lambda: hearth.there(SERVICEACCOUNTS, account))
    to = {"ref": {"apiVersion": CHANNELS.api_version, "kind": CHANNELS.kind, "name": "c"}}
    await hearth.make(EVENTPOLICIES, "e", {"to": [to], "from": [{"sub": "one"}]})
    await hearth.until(lambda: hearth.there(EVENTPOLICIES, "e-c"))
    await hearth.ready(EVENTPOLICIES, "e-c")
    await hearth.change(EVENTPOLICIES, "e", spec={"from": [{"sub": "two"}]})

    async def is_handed_on() -> bool:
        found = await hearth.client.get(EVENTPOLICIES, "e-c", "default")
        return bool(found["spec"]["from"] == [{"sub": "two"}])

    await hearth.until(is_handed_on)
    await hearth.client.delete(EVENTPOLICIES, "e", "default")
    await hearth.until(lambda: hearth.gone(EVENTPOLICIES, "e-c"))
    await hearth.ready(TRIGGERS, "oidc")
    await hearth.until(partial(_is_taken, hearth))
    await hearth.until(lambda: _has_token(hearth, account))
    await hearth.make(PINGSOURCES, "oidc", {"schedule": "* * * * * *", "sink": nowhere})
    async with AsyncExitStack() as stack:
        await hearth.start(stack, "pingsource", EVENTING, account=PING_ADAPTER)
        await hearth.until(partial(_is_told, hearth, "oidc"))
    await hearth.client.delete(PINGSOURCES, "oidc", "default")
    await _hook(hearth)
    await hearth.client.patch(
        CONFIGMAPS, "config-features", EVENTING, {"data": {"authentication-oidc": "disabled"}}
    )
    await hearth.until(lambda: hearth.gone(SERVICEACCOUNTS, account))


async def _hook(hearth: Hearth) -> None:
    """A webhook, sent to nobody, with a token."""
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"token": "t"}}
    metadata = {"name": "hook", "namespace": "default"}
    await hearth.client.create(SECRETS, {**secret, "metadata": metadata})
    reference = {"secretKeyRef": {"name": "hook", "key": "token"}}
    sink = {"uri": "http://127.0.0.1:9/", "audience": "nobody"}
    spec = {"sender": "http", "secrets": [reference], "sink": sink}
    await hearth.make(WEBHOOKSOURCES, "hook", spec)
    account = "hook-oidc-sources.hearth.dev-webhooksource"
    await hearth.until(lambda: hearth.there(SERVICEACCOUNTS, account))
    async with AsyncExitStack() as stack, httpx.AsyncClient(trust_env=False, timeout=60) as client:
        await hearth.start(stack, "webhooksource", EVENTING, account=RECEIVER)
        url = f"http://127.0.0.1:{hearth.ports['WEBHOOKS']}/default/hook/t"

        async def is_sent() -> bool:
            return (await client.post(url)).text == "the sink cannot be reached"

        await hearth.until(is_sent)
        await hearth.ready(WEBHOOKSOURCES, "hook")
    await hearth.client.delete(WEBHOOKSOURCES, "hook", "default")
    await hearth.until(lambda: hearth.gone(WEBHOOKSOURCES, "hook"))


async def _is_told(hearth: Hearth, title: str) -> bool:
    """Whether a PingSource's adapter has told that its sink takes no events."""
    events, _ = await hearth.client.list(EVENTS, "default")
    told = {e["involvedObject"]["name"] for e in events if e["reason"] == "EventNotDelivered"}
    return title in told


async def _is_taken(hearth: Hearth) -> bool:
    """Whether the broker takes an event from who shows a token."""
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["eventing.knative.dev/broker/default/b"]},
    }
    token = (await hearth.client.request("POST", path, body=request))["status"]["token"]
    event = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
    url = f"http://127.0.0.1:{hearth.ports['BROKER']}/default/b"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        shown = {"authorization": f"Bearer {token}"}
        answer = await client.post(url, headers=event | shown)
    return answer.status_code == 202


async def _has_token(hearth: Hearth, account: str) -> bool:
    """Whether the broker has asked for the token that it shows."""
    asked = (each for each in hearth.recorder.calls if each.user.startswith(ACCOUNT))
    return any((each.resource, each.name) == ("serviceaccounts/token", account) for each in asked)


async def _ask(hearth: Hearth) -> None:
    """Addresses whose answers are replies, or what an expression gives."""
    broker = {"apiVersion": BROKERS.api_version, "kind": BROKERS.kind, "name": "b"}
    await hearth.make(REQUESTREPLIES, "r", {"brokerRef": broker})
    await hearth.ready(REQUESTREPLIES, "r")
    await hearth.make(EVENTTRANSFORMS, "e", {"jsonata": {"expression": "$"}})
    await hearth.ready(EVENTTRANSFORMS, "e")


async def _integrate(hearth: Hearth) -> None:
    """A timer, which is changed once, and a stream, whose account is."""
    sink = {"uri": "http://sink.example.com"}
    await hearth.make(INTEGRATIONSOURCES, "i", {"sink": sink, "timer": {"message": "one"}})
    await hearth.until(lambda: hearth.there(CONTAINERSOURCES, "i-containersource"))
    await hearth.change(INTEGRATIONSOURCES, "i", spec={"timer": {"message": "two"}})

    async def is_changed() -> bool:
        found = await hearth.client.get(CONTAINERSOURCES, "i-containersource", "default")
        return "two" in str(found["spec"]["template"])

    await hearth.until(is_changed)
    stream = {"ddbStreams": {"table": "t", "region": "r"}, "auth": {"serviceAccountName": "one"}}
    await hearth.make(INTEGRATIONSOURCES, "d", {"sink": sink, "aws": stream})
    await hearth.until(lambda: hearth.there(ROLEBINDINGS, "d-position"))
    await hearth.until(lambda: hearth.there(CONFIGMAPS, "d-position"))
    auth = {"auth": {"serviceAccountName": "two"}}
    await hearth.change(INTEGRATIONSOURCES, "d", spec={"aws": auth})

    async def is_given() -> bool:
        found = await hearth.client.get(ROLEBINDINGS, "d-position", "default")
        return bool(found["subjects"][0]["name"] == "two")

    await hearth.until(is_given)


async def _take_in(hearth: Hearth) -> None:
    """A log, which is changed once."""
    await hearth.make(INTEGRATIONSINKS, "i", {"log": {"level": "INFO"}})
    await hearth.until(lambda: hearth.there(SERVICES, "i-deployment"))
    await hearth.change(INTEGRATIONSINKS, "i", spec={"log": {"level": "WARN"}})

    async def is_changed() -> bool:
        found = await hearth.client.get(DEPLOYMENTS, "i-deployment", "default")
        return "WARN" in str(found["spec"]["template"])

    await hearth.until(is_changed)


async def _kafka(hearth: Hearth) -> None:
    """A source that is changed, and a sink that comes and goes; there is no Kafka."""
    there = {"bootstrapServers": [f"127.0.0.1:{free_port()}"]}
    source = {**there, "topics": ["t"], "sink": {"uri": "http://127.0.0.1:9"}}
    await hearth.make(KAFKASOURCES, "k", source)
    await hearth.make(KAFKASINKS, "k", {**there, "topic": "t"})

    async def has(count: int) -> bool:
        found, _ = await hearth.client.list(DEPLOYMENTS, "default")
        counts = [it["spec"]["replicas"] for it in found if name(it).startswith("kafkasource-k-")]
        return counts == [count]

    await hearth.until(partial(has, 1))
    await hearth.change(KAFKASOURCES, "k", spec={"consumers": 2})
    await hearth.until(partial(has, 2))

    async def is_told() -> bool:
        found = await hearth.client.get(KAFKASINKS, "k", "default")
        return (Conditions.of(found).get("TopicReady") or {}).get("status") == "False"

    await hearth.until(is_told)
    await hearth.client.delete(KAFKASINKS, "k", "default")
    await hearth.until(partial(hearth.gone, KAFKASINKS, "k"))


async def _encrypt(hearth: Hearth) -> None:
    """Addresses get https, and lose it again."""
    for mode, wanted in (("permissive", ["https", "http"]), ("disabled", [])):
        flags = {"data": {"transport-encryption": mode}}
        await hearth.client.patch(CONFIGMAPS, "config-features", EVENTING, flags)
        await hearth.until(partial(_has_addresses, hearth, wanted))


async def _has_addresses(hearth: Hearth, names: list[str]) -> bool:
    status = (await hearth.client.get(BROKERS, "b", "default"))["status"]
    return [each["name"] for each in status.get("addresses") or ()] == names


async def _start_jobs(hearth: Hearth) -> None:
    """An event that becomes a Job, twice, and is asked for."""
    spec = {"job": {"spec": {"template": _pods("Never")}}}
    letters = {"eventing.hearth.dev/dead-letter-sink": '{"uri": "http://127.0.0.1:9/"}'}
    await hearth.make(JOBSINKS, "j", spec)
    await hearth.change(JOBSINKS, "j", metadata={"annotations": letters})
    await hearth.ready(JOBSINKS, "j")
    event = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
    ingress = f"http://127.0.0.1:{hearth.ports['BROKER']}"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for _ in range(2):
            answer = await client.post(f"{ingress}/jobsinks/default/j", headers=event)
            assert answer.status_code == 202
        answer = await client.get(ingress + answer.headers["location"])
    assert answer.status_code == 202
    await hearth.until(lambda: _is_followed(hearth))


async def _is_followed(hearth: Hearth) -> bool:
    """Whether the broker watches Jobs, of which one may fail."""
    asked = (each for each in hearth.recorder.calls if each.user.endswith("hearth-broker"))
    return any(each[1:4] == ("watch", "batch", "jobs") for each in asked)


async def _bind(hearth: Hearth) -> None:
    """Workloads of each kind that are told where to send, and no more."""
    pods = {"selector": {"matchLabels": {"a": "b"}}, "template": _pods("Always")}
    workloads: tuple[tuple[Resource, Any], ...] = (
        (DEPLOYMENTS, pods),
        (STATEFULSETS, {**pods, "serviceName": "s"}),
        (DAEMONSETS, pods),
        (REPLICASETS, pods),
        (JOBS, {"template": _pods("Never")}),
        (KSERVICES, None),
    )
    sink = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "one"}}
    for resource, spec in workloads:
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        title = "one" if spec is None else "bound"
        if spec is not None and resource != JOBS:
            await hearth.make(resource, title, spec)
        by = (
            {"selector": {"matchLabels": {"none": "none"}}} if resource == JOBS else {"name": title}
        )
        binding = resource.kind.lower()
        await hearth.make(SINKBINDINGS, binding, {"sink": sink, "subject": {**kind, **by}})
        await hearth.ready(SINKBINDINGS, binding)
    containers = {"spec": {"containers": [{"name": "c", "image": "it"}]}}
    await hearth.make(CONTAINERSOURCES, "c", {"sink": sink, "template": containers})
    await hearth.until(lambda: hearth.there(DEPLOYMENTS, "c-deployment"))
    elsewhere = {"ref": None, "uri": "http://another.example.com"}
    await hearth.change(CONTAINERSOURCES, "c", spec={"sink": elsewhere})

    async def is_elsewhere() -> bool:
        source = await hearth.client.get(CONTAINERSOURCES, "c", "default")
        return bool(source["status"]["sinkUri"] == "http://another.example.com")

    await hearth.until(is_elsewhere)
    await _trust(hearth)
    await hearth.client.delete(SINKBINDINGS, "deployment", "default")
    await hearth.until(lambda: hearth.gone(SINKBINDINGS, "deployment"))


async def _give(hearth: Hearth) -> None:
    """Workloads of each kind that get a Secret; those that ``_bind`` has made."""
    template = {"template": _pods("Never")}
    await hearth.make(
        CRONJOBS, "bound", {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": template}}
    )
    service = {"apiVersion": "v1", "kind": "Secret", "name": "creds"}
    for resource in (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, CRONJOBS, JOBS, KSERVICES):
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        by: Any = {"name": "one" if resource == KSERVICES else "bound"}
        if resource == JOBS:
            by = {"selector": {"matchLabels": {"none": "none"}}}
        binding = resource.kind.lower()
        await hearth.make(
            SERVICEBINDINGS, binding, {"service": service, "workload": {**kind, **by}}
        )
        await hearth.ready(SERVICEBINDINGS, binding)


async def _trust(hearth: Hearth) -> None:
    """A trust bundle is copied to where workloads send from, changed, and taken back."""
    labels = {"networking.knative.dev/trust-bundle": "true"}
    bundle: Any = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ours", "namespace": EVENTING, "labels": labels},
        "data": {"ca.crt": "one"},
    }
    await hearth.client.create(CONFIGMAPS, bundle)
    await hearth.until(lambda: hearth.there(CONFIGMAPS, "ourskne-bundle"))
    change = {"data": {"ca.crt": "two"}}
    await hearth.client.patch(CONFIGMAPS, "ours", EVENTING, change)

    async def is_changed() -> bool:
        found = await hearth.client.get(CONFIGMAPS, "ourskne-bundle", "default")
        return bool(found["data"] == {"ca.crt": "two"})

    await hearth.until(is_changed)
    await hearth.client.delete(CONFIGMAPS, "ours", EVENTING)
    await hearth.until(lambda: hearth.gone(CONFIGMAPS, "ourskne-bundle"))


def _pods(restart: str) -> Any:
    containers = [{"name": "c", "image": "it"}]
    return {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"restartPolicy": restart, "containers": containers},
    }


async def _tick(hearth: Hearth) -> None:
    """PingSources that send, one that cannot, and one that gets another sink; one of the API."""
    service = {"apiVersion": "v1", "kind": "Service", "name": "one"}
    await hearth.make(PINGSOURCES, "p", {"schedule": "* * * * * *", "sink": {"ref": service}})
    maps = [{"apiVersion": "v1", "kind": "ConfigMap"}]
    await hearth.make(APISERVERSOURCES, "a", {"resources": maps, "sink": {"ref": service}})

    async def is_made() -> bool:
        source = await hearth.client.get(APISERVERSOURCES, "a", "default")
        return Conditions.of(source).is_true("SufficientPermissions")

    await hearth.until(is_made)
    await hearth.client.delete(APISERVERSOURCES, "a", "default")
    nowhere = {"uri": "http://127.0.0.1:9"}
    await hearth.make(PINGSOURCES, "q", {"schedule": "* * * * * *", "sink": nowhere})
    async with AsyncExitStack() as stack:
        await hearth.start(stack, "pingsource", EVENTING, account=PING_ADAPTER)

        async def is_noted() -> bool:
            ping = await hearth.client.get(PINGSOURCES, "q", "default")
            return bool((ping.get("status") or {}).get("annotations"))

        await hearth.until(partial(_is_told, hearth, "q"))
        await hearth.until(is_noted)

    async def types() -> list[str]:
        found, _ = await hearth.client.list(EVENTTYPES, "default")
        owned = [(each, meta.controller_of(each)) for each in found]
        return [
            each["spec"]["reference"]["kind"]
            for each, owner in owned
            if owner is not None and owner["kind"] == PINGSOURCES.kind
        ]

    async def have_kind(*wanted: str) -> bool:
        return await types() == list(wanted)

    route = {**service, "apiVersion": "serving.knative.dev/v1", "kind": "Route"}
    await hearth.until(lambda: have_kind("Service"))
    await hearth.change(PINGSOURCES, "p", spec={"sink": {"ref": route}})
    await hearth.until(lambda: have_kind("Route"))
    await hearth.change(PINGSOURCES, "p", spec={"sink": {"ref": None, **nowhere}})
    await hearth.until(have_kind)
    for title in ("p", "q"):
        await hearth.client.delete(PINGSOURCES, title, "default")
        await hearth.until(partial(hearth.gone, PINGSOURCES, title))


async def _strip(hearth: Hearth) -> None:
    """Somebody takes a hook's rules away."""
    title = "webhook.serving.knative.dev"
    found = await hearth.client.get(MUTATING_WEBHOOKS, title)
    stripped = {"webhooks": [{**found["webhooks"][0], "rules": []}]}
    await hearth.client.patch(MUTATING_WEBHOOKS, title, None, stripped)

    async def is_back() -> bool:
        now = await hearth.client.get(MUTATING_WEBHOOKS, title)
        return bool(now["webhooks"][0].get("rules"))

    await hearth.until(is_back)


async def _route(hearth: Hearth) -> None:
    """Routes of KEDA's HTTP add-on, one of which sends what a ConfigMap holds."""
    for resource in (INTERCEPTORROUTES, HTTPSCALEDOBJECTS):
        file = f"{resource.group}_{resource.plural}.yaml"
        text = (CONFIG_OF_KEDA / file).read_text()
        await hearth.client.create(CRDS, yaml.safe_load(text))
    target = {"service": "one", "port": 80}
    page = {"response": {"bodyFromConfigMap": {"name": "pages"}}}
    spec = {
        "target": target,
        "scalingMetric": {"concurrency": {"targetValue": 1}},
        "coldStart": {"placeholder": page},
    }

    async def is_made() -> bool:
        try:
            await hearth.make(INTERCEPTORROUTES, "route", spec)
            await hearth.make(HTTPSCALEDOBJECTS, "route", {"scaleTargetRef": target})
        except NotFound:
            return False
        return True

    await hearth.until(is_made)
    await hearth.ready(INTERCEPTORROUTES, "route")

    async def is_watched() -> bool:
        """The watch of ConfigMaps begins with the route, and nobody says so."""
        unused = [each for each in hearth.recorder.unused() if "activator" in each.user]
        return not [each for each in unused if each[1] != "get" and each[3] == "configmaps"]

    await hearth.until(is_watched)


async def test_rules_are_what_components_do(tmp_path: Path, monkeypatch: Any) -> None:
    tokens = list(yaml.safe_load_all((config_folder() / "oidc" / "rbac.yaml").read_text()))
    recorder = Recorder(grants_of([*objects_of(config_folder(), CHOICE), *tokens]))
    monkeypatch.setattr(http, "handle_resource", recorder.handle)
    async with running(tmp_path, recorder) as hearth:
        try:
            await _serve(hearth)
            await _scale(hearth)
            await _burst(hearth)
            await _map(hearth)
            await _certify(hearth)
            await _send(hearth)
            await _subscribe(hearth)
            await _ask(hearth)
            await _start_jobs(hearth)
            await _integrate(hearth)
            await _take_in(hearth)
            await _kafka(hearth)
            await _encrypt(hearth)
            await _authenticate(hearth)
            await _bind(hearth)
            await _give(hearth)
            await _tick(hearth)
            await _strip(hearth)
            await _route(hearth)
        finally:
            assert _lines(recorder.refused) == "", "rules are missing"
    # What a reader of the live page may do is tested beside it: tests/component/ui/test_readers.py.
    unused = [each for each in recorder.unused() if not each.user.endswith("hearth-page-reader")]
    unused = [each for each in unused if each[1:4] not in NOT_ASKED]
    assert _lines(unused) == "", "rules that nothing needs"


def _lines(what: Iterable[Grant | Call]) -> str:
    return "\n".join(sorted(f"{each.user}: {each.verb} {each[2:]}" for each in what))
