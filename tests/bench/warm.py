"""Warm requests: throughput, CPU per request and added latency, in turns with other proxies.

``pinned``: through ``hearth up`` and a real Service, each proxy with a core to itself, the load
generator (wrk) and the application on another. ``unpinned``: the same, everything where the system
puts it. ``gateway``: the data plane alone beside one Envoy worker, with 1 and with 10,000 routes.

``WARM_APP`` names another application for the first two: a command that listens on ``$PORT``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.kube.serviceports import PORTS_ANNOTATION
from tests.bench import wrk
from tests.bench.gateway_process import ADDON_HOST
from tests.bench.hearth import RunningHearth
from tests.bench.peers import HOST, envoy, find_envoy, peers
from tests.bench.rows import Row, row
from tests.bench.targets import Target, gateway, listener, pin, python
from tests.bench.wrk import Load

RUNS = 5
SECONDS = 2
CONNECTIONS = 32
SERVICE = "warm"
_IMAGE = "bench.hearth.dev/warm"
# Of two cores: proxies on the first, whatever else there is on the second.
_PROXY_CORE, _OTHER_CORE = 0, 1
_GOALS = {"envoy": 2.2, "haproxy": 1.15}
_UNPINNED_GOALS = {"envoy": 1.8, "haproxy": 1.0}


def rows() -> Iterator[Row]:
    """All three."""
    for part in PARTS.values():
        yield from part()


# -- through the whole product --------------------------------------------------------------------


def through_product(*, pinned: bool, runs: int = RUNS, seconds: int = SECONDS) -> Iterator[Row]:
    """Beside all peers that are there, and beside the application alone."""
    if wrk.is_missing():
        return
    host = f"{SERVICE}.default.localhost"
    with contextlib.ExitStack() as stack:
        hearth = stack.enter_context(RunningHearth())
        command = os.environ.get("WARM_APP") or f"{sys.executable} {_warm_app()}"
        hearth.command("image", "add", _IMAGE, "--", *shlex.split(command))
        app = asyncio.run(_application(hearth.kubeconfig))
        targets = {"hearth": Target(hearth.port, hearth.pids()["activator"])}
        for name, start in peers(host).items():
            targets[name] = stack.enter_context(start(app.port))
        if pinned:
            for pid in (app.pid, *hearth.pids().values()):
                pin(pid, _OTHER_CORE)
            for target in targets.values():
                pin(target.pid, _PROXY_CORE)
        core = _OTHER_CORE if pinned else None
        full: dict[str, list[Load]] = {name: [] for name in (*targets, "application")}
        single: dict[str, list[Load]] = {name: [] for name in full}
        differing: dict[str, list[Load]] = {name: [] for name in full}
        for _ in range(runs):
            for name, target in (*targets.items(), ("application", app)):
                run = partial(wrk.run, target, host=host, core=core)
                full[name].append(run(CONNECTIONS, seconds))
                differing[name].append(run(CONNECTIONS, 1, script=wrk.DIFFERING))
                single[name].append(run(1, 1))
    how = "each proxy on a core of its own" if pinned else "nobody pinned"
    yield _throughput(f"warm requests through the product, {how}", full)
    yield from _ratios(f"throughput, {how}", full, _GOALS if pinned else _UNPINNED_GOALS)
    yield _cpu(f"CPU per warm request, {how}", full)
    yield _throughput(f"the same, each request another, {how}", differing)
    yield from _ratios(f"the same, each request another, {how}", differing, {})
    yield _added(f"latency added at 1 connection, p50, {how}", single, "p50_us", at_most=50)
    yield _added(f"latency added at 1 connection, p99, {how}", single, "p99_us", at_most=200)
    yield _failed(
        f"warm requests failed, {how}", [*full["hearth"], *differing["hearth"], *single["hearth"]]
    )


def _warm_app() -> Path:
    return Path(__file__).with_name("warm_app.py")


async def _application(kubeconfig: Path) -> Target:
    """A Service with one pod that stays; its process."""
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        await client.create(KSERVICES, _service())
        async with asyncio.timeout(30):
            while not (pods := _ready_pods((await client.list(PODS, "default"))[0])):
                await asyncio.sleep(0.05)
    port = json.loads(meta.annotations(pods[0])[PORTS_ANNOTATION])["8080"]
    return Target(port, listener(port))


def _service() -> Object:
    keep = {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/max-scale": "1"}
    containers = [{"image": _IMAGE}]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": "default"},
        "spec": {
            "template": {"metadata": {"annotations": keep}, "spec": {"containers": containers}}
        },
    }


def _ready_pods(pods: list[Object]) -> list[Object]:
    return [
        pod
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]


# -- the gateway alone ----------------------------------------------------------------------------


def gateway_alone() -> Iterator[Row]:
    """The data plane in a process of its own, with 10,000 routes, and what they cost."""
    if wrk.is_missing():
        return
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(python("tests.bench.warm_app"))
        targets = {"hearth": stack.enter_context(gateway(app.port))}
        if (binary := find_envoy()) is not None:
            targets["envoy"] = stack.enter_context(envoy(binary, app.port))
        few = stack.enter_context(gateway(app.port, routes=1))
        full: dict[str, list[Load]] = {name: [] for name in targets}
        single: dict[str, list[Load]] = {name: [] for name in (*targets, "application")}
        lookups: list[Load] = []
        for _ in range(RUNS):
            for name, target in targets.items():
                full[name].append(wrk.run(target, CONNECTIONS, SECONDS, HOST))
            lookups.append(wrk.run(few, CONNECTIONS, SECONDS, HOST))
            for name, target in (*targets.items(), ("application", app)):
                single[name].append(wrk.run(target, 1, SECONDS, HOST))
    yield _throughput(f"warm requests, one core, {CONNECTIONS} connections", full)
    yield _cpu("CPU per warm request", full)
    yield from _ratios("warm throughput", full, {"envoy": 1.2})
    yield _added("latency added at 1 connection, p50", single, "p50_us", at_most=100)
    ratios = [many.cpu_us / one.cpu_us for many, one in zip(full["hearth"], lookups, strict=True)]
    yield row("CPU per request with 10,000 routes over one with 1", ratios, "x", at_most=1.1)
    yield _failed("warm requests failed", [*full["hearth"], *single["hearth"]])


def addon_route() -> Iterator[Row]:
    """By a route of KEDA's HTTP add-on, with a static route, beside a plain one and Envoy."""
    if wrk.is_missing():
        return
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(python("tests.bench.warm_app"))
        hosts = {"hearth": ADDON_HOST, "plain": HOST, "envoy": HOST}
        targets = {
            "hearth": stack.enter_context(gateway(app.port, 1, "addon")),
            "plain": stack.enter_context(gateway(app.port, 1)),
        }
        if (binary := find_envoy()) is not None:
            targets["envoy"] = stack.enter_context(envoy(binary, app.port))
        full: dict[str, list[Load]] = {name: [] for name in targets}
        for _ in range(RUNS):
            for name, target in targets.items():
                full[name].append(wrk.run(target, CONNECTIONS, SECONDS, hosts[name]))
    yield _throughput("warm requests by a route of the HTTP add-on", full)
    yield _cpu("CPU per warm request by a route of the HTTP add-on", full)
    yield from _ratios("warm throughput by a route of the HTTP add-on", full, {"envoy": 1.5})
    pairs = zip(full["hearth"], full["plain"], strict=True)
    ratios = [ours.cpu_us / plain.cpu_us for ours, plain in pairs]
    yield row("its CPU per request over that of a plain route", ratios, "x", at_most=1.2)
    yield _failed("its warm requests failed", full["hearth"])


# -- rows -----------------------------------------------------------------------------------------


def _throughput(name: str, full: dict[str, list[Load]]) -> Row:
    rates = [load.rate for load in full["hearth"]]
    return row(name, rates, "requests/s", peers=_medians(full, "rate"))


def _cpu(name: str, full: dict[str, list[Load]]) -> Row:
    cpu = [load.cpu_us for load in full["hearth"]]
    return row(name, cpu, "us", peers=_medians(full, "cpu_us"))


def _ratios(name: str, full: dict[str, list[Load]], goals: dict[str, float]) -> Iterator[Row]:
    """Against each peer, run by run."""
    for peer in full.keys() - {"hearth", "application"}:
        pairs = zip(full["hearth"], full[peer], strict=True)
        ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
        yield row(f"{name}, by that of {peer}", ratios, "x", at_least=goals.get(peer))


def _added(name: str, single: dict[str, list[Load]], field: str, *, at_most: float) -> Row:
    """What a hop adds: its own less the application's."""
    alone = wrk.median(single["application"], field)
    return row(
        name,
        [getattr(load, field) - alone for load in single["hearth"]],
        "us",
        at_most=at_most,
        peers={
            peer: value - alone
            for peer, value in _medians(single, field).items()
            if peer != "application"
        },
    )


def _failed(name: str, loads: list[Load]) -> Row:
    return row(name, [float(load.errors) for load in loads], "", at_most=0)


def _medians(loads: dict[str, list[Load]], field: str) -> dict[str, float]:
    return {name: wrk.median(each, field) for name, each in loads.items() if name != "hearth"}


PARTS = {
    "pinned": lambda: through_product(pinned=True),
    "unpinned": lambda: through_product(pinned=False),
    "gateway": gateway_alone,
    "addon": addon_route,
}
