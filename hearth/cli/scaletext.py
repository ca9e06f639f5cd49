"""What ``hearth scale explain`` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_UNITS = {"concurrency": "requests in flight", "rps": "requests/s"}


def scale_text(explanations: Sequence[Json]) -> str:
    """Return all of it; revisions that no route leads to and that have no pods take one line."""
    return "\n\n".join(
        _asleep(each) if _is_over(each) else "\n".join(_lines(each)) for each in explanations
    )


def _is_over(explanation: Json) -> bool:
    pods = explanation.get("pods") or {}
    return not explanation.get("reachable", True) and not any(pods.values())


def _asleep(explanation: Json) -> str:
    return f"{explanation['namespace']}/{explanation['name']}: no route leads here, no pods"


def _lines(explanation: Json) -> Iterator[str]:
    wish = explanation["wish"]
    by = f", by the {explanation['decidedBy']}" if explanation["decidedBy"] else ""
    wanted = "no wish" if wish < 0 else f"wants {wish} pod{'' if wish == 1 else 's'}{by}"
    yield f"{explanation['namespace']}/{explanation['name']}: {wanted}; {_has(explanation)}"
    if not explanation.get("steps"):
        yield f"  scaled by {explanation['scaledBy']}; {explanation['looksAgain']}"
        return
    if "sees" in explanation:
        yield from _seen(explanation)
    if explanation.get("formula"):
        yield f"  formula: {explanation['formula']}"
    yield "  decides:"
    for step in explanation["steps"]:
        mark = "->" if step["decides"] else "  "
        number = "-" if step["pods"] < 0 else str(step["pods"])
        yield f"  {mark} {step['rule']:<18}{number:>5}  {step['text']}"
    if not explanation.get("applies", True):
        yield "  leaves the Deployment as it is"
    yield f"  looks again {explanation['looksAgain']}"
    yield from _changed(explanation.get("changes") or ())


def _changed(changes: Sequence[Json]) -> Iterator[str]:
    """What was asked for lately, the newest first: times on the clocks of UTC."""
    if changes:
        yield "  changed (UTC):"
    for change in changes:
        rule = change["decidedBy"] or "not by the autoscaler"
        told = ": ".join(text for text in (rule, change["why"]) if text)
        cause = f"; {change['cause']}" if change.get("cause") else ""
        moment = f"{change['at'][:10]} {change['at'][11:19]}"
        yield f"     {moment} {change['from']:>4} -> {change['to']:<4} {told}{cause}"


def _has(explanation: Json) -> str:
    """The pods there are; of what has no pods counted here, what it is asked to have."""
    pods = explanation.get("pods")
    if pods is None:
        return f"asked for now: {explanation['replicas']}"
    states = (
        ("ready", "ready"),
        ("notReady", "not ready"),
        ("pending", "pending"),
        ("terminating", "ending"),
    )
    counts = (f"{pods[each]} {text}" for each, text in states if pods[each] or each == "ready")
    return f"pods: {', '.join(counts)}"


def _seen(explanation: Json) -> Iterator[str]:
    sees, settings = explanation["sees"], explanation["settings"]
    unit = _UNITS.get(explanation["metric"], explanation["metric"])
    yield (
        f"  sees {sees['stable']:.6g} {unit} over {settings['stableWindow']:.6g} s, "
        f"{sees['panic']:.6g} over {settings['panicWindow']:.6g} s"
        f"{' (panic)' if sees['panicMode'] else ''}, observed for {sees['observedSeconds']:.0f} s; "
        f"{sees['waiting']} waiting in activators"
    )
    yield (
        f"  aims at {settings['target']:.6g} per pod of {settings['total']:.6g} possible "
        f"({settings['aggregation']} average); spare capacity for bursts: "
        f"{sees['excessBurstCapacity']}"
    )
