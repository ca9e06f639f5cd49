"""``hearth simulate``: reads what is to be simulated, has it done, shows what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hearth.cli.errors import UserError
from hearth.cli.eventqueries import check_output
from hearth.kube.durations import parse_go_duration

if TYPE_CHECKING:
    from hearth.simulation.fleet import Plan
    from hearth.simulation.traces import Trace

_USUAL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What the command line says."""

    trace: Path | None
    pattern: str | None
    rate: float
    length: str | None
    services: int
    service: Path | None
    config: Sequence[Path]
    service_time: str
    pod_start: str
    exact: float
    seed: int
    plot: Path | None
    output: str


def run_simulation(options: SimulateOptions) -> int:
    """Simulate and print; return the exit code."""
    check_output(options.output, "table", "json")
    try:
        import numpy  # noqa: F401 - says early what is missing
    except ImportError:
        raise UserError("simulations need numpy: pip install 'hearth-serving[simulate]'") from None
    from hearth.simulation.fleet import simulate
    from hearth.simulation.plot import draw
    from hearth.simulation.report import report, report_text

    traces = _traces(options)
    plan = _plan(options, traces)
    began = time.monotonic()
    result = simulate(traces, plan)
    told = report(result, plan, took=time.monotonic() - began)
    if options.plot is not None:
        options.plot.write_text(draw(told))
    if options.output == "json":
        print(json.dumps(told, indent=1))
    else:
        print(report_text(told))
        if options.plot is not None:
            print(f"drawn: {options.plot}")
    return 0


def _traces(options: SimulateOptions) -> list[Trace]:
    from hearth.simulation.patterns import PATTERNS, traces_of
    from hearth.simulation.traces import BadTrace, read_trace

    if (options.trace is None) == (options.pattern is None):
        raise UserError("give a file of requests, or a --pattern: one of the two")
    if options.trace is not None:
        try:
            return read_trace(options.trace)
        except BadTrace as error:
            raise UserError(f"{options.trace}: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{options.trace} cannot be read: {error}") from None
    if options.pattern not in PATTERNS:
        raise UserError(f"--pattern {options.pattern}: it is one of {', '.join(PATTERNS)}")
    return traces_of(
        options.pattern,
        rate=options.rate,
        seconds=_seconds(options.length, "--for") or _USUAL_SECONDS,
        services=options.services,
        seed=options.seed,
    )


def _plan(options: SimulateOptions, traces: Sequence[Trace]) -> Plan:
    from hearth.simulation.durations import parse_durations
    from hearth.simulation.fleet import Plan
    from hearth.simulation.target import settings_of, target_of

    config_maps = [each for path in options.config for each in _objects(path)]
    services = [] if options.service is None else _of_kind(options.service, "Service")
    try:
        target = target_of(services[0] if services else None, settings_of(config_maps))
        service_time = parse_durations(options.service_time)
        pod_start = parse_durations(options.pod_start)
    except ValueError as error:
        raise UserError(str(error)) from None
    asked = _seconds(options.length, "--for")
    return Plan(
        target,
        service_time,
        pod_start,
        seconds=asked or max(trace.seconds for trace in traces),
        seed=options.seed,
        exact_requests=options.exact,
    )


def _seconds(text: str | None, option: str) -> int:
    """Return whole seconds; 0 where nothing was said."""
    if text is None:
        return 0
    try:
        seconds = int(parse_go_duration(text))
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None
    if not 1 <= seconds <= 31 * 86_400:
        raise UserError(f"{option} {text}: between 1s and 744h are simulated")
    return seconds


def _of_kind(path: Path, kind: str) -> list[dict[str, Any]]:
    found = [each for each in _objects(path) if each.get("kind") == kind]
    if len(found) != 1:
        raise UserError(f"{path}: it has {len(found)} objects of kind {kind}, and not one")
    return found


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict):
                yield document
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {error}") from None
