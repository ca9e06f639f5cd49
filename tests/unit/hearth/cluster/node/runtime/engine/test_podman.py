from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.api import CreateError
from hearth.cluster.node.runtime.containers.launching import launch_text
from hearth.cluster.node.runtime.containers.limits import Limits
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.security import Security
from hearth.cluster.node.runtime.engine.images import check_platform, is_local, parse_image
from hearth.cluster.node.runtime.engine.podman import make_specification
from hearth.cluster.node.runtime.engine.rlimits import rlimits_of
from hearth.cluster.node.runtime.engine.seam import Making
from hearth.cluster.node.runtime.engine.times import seconds_of
from hearth.cluster.node.volumes.mounts import Mount
from hearth.oci.manifests import Platform
from hearth.oci.references import parse_reference

PLAN = ContainerPlan(
    args=("/serve", "--port", "1"),
    env={"A": "b"},
    cwd="/",
    hostname="web",
    security=Security(),
    limits=Limits(),
    stop_signal="SIGQUIT",
)
MAKING = Making("n", "sha256:1", PLAN, {"l": "v"}, Path("/log"), Path("/netns/x"))


def specification(**plan: Any) -> dict[str, Any]:
    return make_specification(replace(MAKING, plan=replace(PLAN, **plan)), [])


def test_the_command_is_the_plans_alone() -> None:
    made = specification()
    assert (made["entrypoint"], made["command"]) == (["/serve"], ["--port", "1"])
    assert made["stop_signal"] == signal.SIGQUIT
    assert specification(stop_signal="RTMIN+3")["stop_signal"] == signal.SIGTERM
    assert specification(stop_signal="9")["stop_signal"] == 9


def test_networks() -> None:
    assert make_specification(MAKING, [])["netns"] == {"nsmode": "path", "value": "/netns/x"}
    published = make_specification(replace(MAKING, namespace=None, ports={80: 20001}), [])
    assert published["portmappings"][0]["host_port"] == 20001
    joined = make_specification(replace(MAKING, namespace=None, joins="abc"), [])
    assert joined["netns"] == {"nsmode": "container", "value": "abc"}


def test_limits_and_rights() -> None:
    limits = Limits(cpu_quota=5000, cpu_shares=7, memory=1024, pids=9)
    assert specification(limits=limits)["resource_limits"] == {
        "cpu": {"shares": 7, "quota": 5000, "period": 100_000},
        "pids": {"limit": 9},
        "memory": {"limit": 1024, "swap": 1024},
    }
    security = Security("1:2", (3,), ("A",), ("ALL",), no_new_privileges=True, unconfined=True)
    made = specification(security=security, mounts=(Mount(Path("/s"), "/t", read_only=True),))
    assert (made["user"], made["groups"], made["no_new_privileges"]) == ("1:2", ["3"], True)
    assert (made["cap_add"], made["cap_drop"]) == (["A"], ["ALL"])
    assert made["seccomp_profile_path"] == "unconfined"
    assert made["mounts"][0]["options"] == ["rbind", "rprivate", "ro"]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            'runc: runc create failed: unable to start container process: exec: "/no": '
            "stat /no: no such file or directory: OCI runtime attempted to invoke a command",
            'exec: "/no": stat /no: no such file or directory',
        ),
        (
            "crun: executable file `/no` not found: No such file or directory: OCI runtime",
            'exec: "/no": no such file or directory',
        ),
        ("crun: executable file `no` not found in $PATH: x", 'exec: "no": not found in $PATH'),
        (
            'runc: x: exec: "/etc": permission denied: OCI permission denied',
            'exec: "/etc": permission denied',
        ),
        ("something else\nmore", "something else"),
        ("", ""),
    ],
)
def test_why_a_program_did_not_start(said: str, text: str) -> None:
    assert launch_text(said) == text


def test_limits_of_an_engine_that_may_not_raise_its_own() -> None:
    limits = (
        "Limit  Soft  Hard  Units\nMax processes   96365   96365   processes\n"
        "Max open files  1024   20000  files\n"
    )
    assert rlimits_of("CapEff:\t000001fffeffffff\n", limits) == {"nofile": 20000, "nproc": 32768}
    assert rlimits_of("CapEff:\t000001ffffffffff\n", limits) == {}
    assert rlimits_of("", limits) == {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.500000001Z", 10.500000001),
        ("1970-01-01T01:00:10.5+01:00", 10.5),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("image", "local"),
    [
        ("localhost:5000/a", True),
        ("127.0.0.1:5000/a", True),
        ("localhost/a", True),
        ("localhost.evil.com/a", False),
        ("registry.example/a", False),
        ("nginx", False),
    ],
)
def test_registries_of_this_machine(image: str, local: bool) -> None:
    assert is_local(parse_reference(image)) is local


def test_what_names_an_image() -> None:
    one, two = "a" * 64, "b" * 64
    found = {
        "Id": one,
        "RepoDigests": [f"docker.io/library/x@sha256:{two}", f"ghcr.io/y@sha256:{one}"],
        "Size": 5,
        "Config": {"Env": ["A=b=c"], "Cmd": ["/x"], "User": "7"},
    }
    image = parse_image(found, parse_reference("x:1"))
    assert image.digest == f"docker.io/library/x@sha256:{two}"
    assert (image.config.env, image.config.cmd, image.config.user) == ({"A": "b=c"}, ("/x",), "7")
    assert parse_image({"Id": one}, parse_reference("x")).digest.endswith(f"x@sha256:{one}")


def test_an_image_for_another_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    check_platform("x:1", Platform("linux", "amd64"))
    check_platform("x:1", Platform("", ""))
    with pytest.raises(
        CreateError, match=r"linux/s390x, and this machine is linux/amd64"
    ) as caught:
        check_platform("x:1", Platform("linux", "s390x"))
    assert caught.value.reason == "ErrImagePull"
