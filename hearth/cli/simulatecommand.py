"""The command ``hearth simulate``: what may be typed. What it does is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    trace: Annotated[
        Path | None, typer.Argument(help="File of requests: seconds and counts, or moments.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Instead of a file: constant, step, spike, diurnal, bursts, workdays or fleet."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests/s of a pattern, at its most.")
    ] = 10.0,
    seconds: Annotated[
        str | None, typer.Option("--for", help="How long: 10m, 24h. A trace's own length.")
    ] = None,
    services: Annotated[int, typer.Option(min=1, help="How many services have the pattern.")] = 1,
    service: Annotated[
        Path | None, typer.Option(help="YAML of the Knative Service: its annotations and limits.")
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="YAML with ConfigMaps, as config-autoscaler.")
    ] = None,
    service_time: Annotated[
        str,
        typer.Option(help="What a request takes: 120ms, exponential:120ms, lognormal:100ms,1s."),
    ] = "exponential:100ms",
    pod_start: Annotated[
        str, typer.Option(help="From the decision until a pod takes requests, in the same forms.")
    ] = "1s",
    exact: Annotated[
        float, typer.Option(min=0, help="Services with more requests go by seconds, not requests.")
    ] = 5_000,
    seed: Annotated[int, typer.Option(help="Of chance; the same one gives the same result.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw pods, waiting and latency over time into this SVG.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Replay requests through the autoscaler in simulated time: pods, cold starts, waiting, cost.

    Asks no Hearth and needs none. What decides is the code that decides in production.
    """
    from hearth.cli.simulate import SimulateOptions, run_simulation

    options = SimulateOptions(
        trace=trace,
        pattern=pattern,
        rate=rate,
        length=seconds,
        services=services,
        service=service,
        config=config or [],
        service_time=service_time,
        pod_start=pod_start,
        exact=exact,
        seed=seed,
        plot=plot,
        output=output,
    )
    raise typer.Exit(run_simulation(options))
