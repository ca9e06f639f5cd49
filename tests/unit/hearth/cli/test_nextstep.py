"""What `hearth` alone says."""

from __future__ import annotations

from typing import Any

from hearth.cli.nextstep import next_step


def said(**fields: Any) -> str:
    known: dict[str, Any] = {
        "running": True,
        "gateway": "http://localhost:8080",
        "processes": [],
        "services": [],
        "containers": [],
    }
    return "\n".join(next_step(known | fields, " --name x"))


def a_service(name: str, ready: str = "True", **fields: str) -> dict[str, str]:
    place = {"namespace": "default", "name": name, "url": f"http://{name}"}
    return {**place, "ready": ready, "reason": "", **fields}


def test_nothing_runs() -> None:
    assert "hearth up --detach" in said(running=False)
    assert "was killed" in said(running=False, wasKilled=True)


def test_nothing_is_deployed() -> None:
    assert "hearth deploy --name x" in said()


def test_an_api_that_does_not_answer() -> None:
    text = said(error="refused")
    assert "refused" in text
    assert "hearth doctor --name x" in text


def test_a_component_in_trouble() -> None:
    text = said(processes=[{"name": "broker", "trouble": True}, {"name": "api", "trouble": False}])
    assert "In trouble: broker\n" in text
    assert "hearth status --name x" in text


def test_services_that_failed() -> None:
    bad = a_service("shop", "False", reason="RevisionFailed", namespace="prod")
    text = said(services=[a_service("fine"), bad])
    assert "shop does not serve: RevisionFailed" in text
    assert "hearth describe shop -n prod --name x" in text
    assert "fine" not in text


def test_containers_in_trouble() -> None:
    pod = {"pod": "p", "state": "CrashLoopBackOff", "lastWords": "no database"}
    assert "pod p: CrashLoopBackOff no database" in said(
        services=[a_service("shop", "Unknown")], containers=[pod]
    )


def test_all_is_well() -> None:
    text = said(services=[a_service(f"s{number}") for number in range(7)])
    assert "http://s0" in text
    assert "and 2 more" in text
    assert "hearth top --name x" in text
