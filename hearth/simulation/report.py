"""What a simulation says: as data, and as a text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hearth.simulation.fleet import Plan, Result
from hearth.simulation.tally import MIDDLES, Outcome, Series, percentile
from serving.autoscaler.decide import TICK_SECONDS

Json = dict[str, Any]
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def report(result: Result, plan: Plan, *, took: float) -> Json:
    """Return all of it; times are seconds."""
    total = result.total
    waits = total.waits.sum(axis=0)
    return {
        "services": total.services,
        "seconds": plan.seconds,
        "requests": round(total.requests),
        "podSeconds": round(total.pod_seconds, 1),
        "meanPods": round(total.pod_seconds / plan.seconds, 3),
        "mostPodsOfAService": total.most_pods,
        "coldStarts": total.cold_starts,
        "waited": round(float(waits[1:].sum())),
        "waiting": {
            **{name: round(percentile(waits, share), 4) for name, share in _SHARES.items()},
            "max": round(total.longest_wait, 4),
        },
        "latency": _latency(waits, plan),
        "refused": round(total.full),
        "timedOut": round(total.timed_out),
        "top": [asdict(share) for share in result.top],
        "series": _series(total, plan),
        "method": {
            "byRequest": total.exact,
            "bySecond": total.services - total.exact,
            "ticks": total.services * int(plan.seconds / TICK_SECONDS),
            "ticksDecided": total.decided,
            "took": round(took, 2),
            "serviceTime": str(plan.service_time),
            "podStart": str(plan.pod_start),
            "seed": plan.seed,
        },
    }


def _latency(waits: Series, plan: Plan) -> Json:
    """Waiting and service time together, by chance: each wait with service times of its own."""
    return {name: round(value, 4) for name, value in _latencies(waits, plan).items()}


def _latencies(waits: Series, plan: Plan) -> dict[str, float]:
    from random import Random

    total = float(waits.sum())
    if not total:
        return dict.fromkeys(_SHARES, 0.0)
    random = Random(plan.seed)
    drawn = np.array([plan.service_time.draw(random) for _ in range(400)])
    busy = np.flatnonzero(waits > 0)
    values = (MIDDLES[busy][:, None] + drawn).ravel()
    weights = np.repeat(waits[busy] / len(drawn), len(drawn))
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    places = {name: np.searchsorted(sums, share * sums[-1]) for name, share in _SHARES.items()}
    return {name: float(values[order][place]) for name, place in places.items()}


def _series(total: Outcome, plan: Plan) -> list[Json]:
    width = plan.seconds / len(total.ready)
    found = []
    for number, waits in enumerate(total.waits):
        latency = _latencies(waits, plan)
        found.append(
            {
                "at": round(number * width, 3),
                "requestsPerSecond": round(float(waits.sum()) / width, 4),
                "ready": round(float(total.ready[number]), 3),
                "asked": round(float(total.asked[number]), 3),
                "queue": round(float(total.longest_queue[number]), 2),
                "waitP95": round(percentile(waits, 0.95), 4),
                "latencyP50": round(latency["p50"], 4),
                "latencyP95": round(latency["p95"], 4),
            }
        )
    return found


def report_text(told: Mapping[str, Any]) -> str:
    """Return it as text."""
    return "\n".join(_lines(told))


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    method, waiting, latency = told["method"], told["waiting"], told["latency"]
    services = "1 service" if told["services"] == 1 else f"{told['services']:,} services"
    yield (
        f"{services}, {_time(told['seconds'])}, {told['requests']:,} requests "
        f"(service time {method['serviceTime']}, pods start in {method['podStart']})"
    )
    rows = (
        ("pods", f"{told['meanPods']:.2f} on average, {told['podSeconds'] / 3600:,.2f} pod hours"),
        ("most pods of a service", f"{told['mostPodsOfAService']:,}"),
        ("cold starts", f"{told['coldStarts']:,}"),
        (
            "requests that waited",
            f"{told['waited']:,} ({_share(told['waited'], told['requests'])})",
        ),
        ("waiting p50, p95, p99", ", ".join(_time(waiting[name]) for name in _SHARES)),
        ("longest waiting", _time(waiting["max"])),
        ("latency p50, p95, p99", ", ".join(_time(latency[name]) for name in _SHARES)),
        ("refused with 503", f"{told['refused']:,}"),
        ("gave up waiting", f"{told['timedOut']:,}"),
    )
    for name, value in rows:
        yield f"  {name:<24}{value}"
    if told["services"] > 1:
        heads = f"{'requests':>12}{'pod hours':>12}{'pods':>7}{'cold':>8}  wait p95"
        yield f"  {'costs most':<24}{heads}"
        for each in told["top"]:
            yield (
                f"    {each['name'][:20]:<22}{each['requests']:>12,.0f}"
                f"{each['pod_seconds'] / 3600:>12,.2f}{each['most_pods']:>7,}"
                f"{each['cold_starts']:>8,}  {_time(each['p95'])}"
            )
    yield (
        f"  simulated in {method['took']:.1f} s: {method['byRequest']:,} by the request, "
        f"{method['bySecond']:,} by the second; {method['ticksDecided']:,} of "
        f"{method['ticks']:,} ticks had anything to decide"
    )


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "0 %"


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.4g} h"
    if seconds >= 120:
        return f"{seconds / 60:.3g} min"
    if seconds >= 1 or not seconds:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.3g} ms"
