"""``hearth`` alone in a terminal: the next useful step. ``next_step`` is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hearth.cli.banner import naming_options
from hearth.cli.names import is_found
from hearth.cli.state import is_running, read_state
from hearth.cli.status import report_of

_MOST = 5


def show_next_step(data_dir: Path) -> None:
    """Print where things stand and what to do about it."""
    state = read_state(data_dir)
    name = str(state.get("name") or "default")
    options = naming_options(name, data_dir, is_found=is_found(name, data_dir))
    report: dict[str, Any] = {"running": False, "wasKilled": bool(state.get("pid"))}
    if is_running(state):
        report = asyncio.run(report_of(data_dir, state))
    for line in next_step(report, options if state else ""):
        print(line)
    print("All commands: hearth --help")


def next_step(report: Mapping[str, Any], options: str) -> Iterator[str]:
    """Say what to do, by the report of ``hearth status``; ``options`` name this Hearth."""
    if not report["running"]:
        if report.get("wasKilled"):
            yield "Hearth was killed; what it stored is there."
        else:
            yield "Hearth does not run."
        yield _command(f"up --detach{options}", "start it")
        yield _command(f"doctor{options}", "see what might stand in the way")
        yield _command("install", "install it into a cluster")
        return
    yield f"Hearth runs: {report['gateway']}"
    troubles = list(_troubles(report, options))
    if troubles:
        yield from troubles
    elif not report["services"]:
        yield "Nothing is deployed yet. In a folder with code:"
        yield _command(f"deploy{options}", "run it, and get its URL")
        yield _command("func create hello", "or begin with a function")
    else:
        yield from _well(report, options)


def _troubles(report: Mapping[str, Any], options: str) -> Iterator[str]:
    if report.get("error"):
        yield f"Its API does not answer: {report['error']}"
        yield _command(f"doctor{options}", "see what stands in the way")
        return
    bad = [each["name"] for each in report["processes"] if each["trouble"]]
    if bad:
        yield f"In trouble: {', '.join(bad)}"
        yield _command(f"status{options}", "what ended, and its last words")
    failed = [each for each in report["services"] if each["ready"] == "False"]
    for service in failed[:_MOST]:
        place = "" if service["namespace"] == "default" else f" -n {service['namespace']}"
        yield f"{service['name']} does not serve: {service['reason']}"
        yield _command(f"describe {service['name']}{place}{options}", "what went wrong")
    if report["containers"] and not failed:
        for each in report["containers"][:_MOST]:
            yield f"pod {each['pod']}: {each['state']} {each['lastWords']}".rstrip()
        yield _command(f"status{options}", "all of them")


def _well(report: Mapping[str, Any], options: str) -> Iterator[str]:
    services = report["services"]
    for service in services[:_MOST]:
        yield f"  {service['name']:<20} {service['url'] or 'has no URL yet'}"
    if len(services) > _MOST:
        yield f"  and {len(services) - _MOST} more: hearth status{options}"
    yield _command(f"top{options}", "what they do at the moment")
    yield _command(f"ui{options}", "the same and more in a browser")
    yield _command(f"deploy{options}", "the next one, or the next revision")


def _command(words: str, purpose: str) -> str:
    return f"  hearth {words:<34} {purpose}"
