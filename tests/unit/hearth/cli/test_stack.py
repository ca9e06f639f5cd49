"""What runs on one machine: the components in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hearth.cli.components import CONTROL_USER_HERE
from hearth.cli.layout import Layout, activators, choose_ports, purposes
from hearth.cli.layout import components as names
from hearth.cli.listeners import Listeners
from hearth.cli.stack import components
from hearth.cluster.apiserver.credentials import kubeconfig_of
from hearth.cluster.operations.auth import component_user


def a_layout(workers: int = 1) -> Layout:
    free = iter(range(1000, 2000))
    ports = choose_ports(
        {"gateway": 0, "api": 0, "gateway-tls": 0},
        remembered={},
        is_free=lambda _: True,
        any_free=lambda: next(free),
        internal=purposes(workers),
    )
    return Layout(
        Path("/nowhere"),
        "127.0.0.1",
        ports,
        stats_token="token",
        broker_admin_token="other",
        page_secret="third",
        workers=workers,
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_every_component_has_metrics_and_starts_after_the_api(workers: int) -> None:
    listed = components(a_layout(workers), Listeners(activators(workers)))
    assert tuple(component.name for component in listed) == names(workers)
    assert len({component.metrics_port for component in listed}) == len(listed)
    assert [component.after for component in listed] == [(), *[("api",)] * (len(listed) - 1)]


def test_control_is_somebody_of_its_own_whom_webhooks_trust() -> None:
    layout = a_layout()
    assert layout.control_kubeconfig == kubeconfig_of(layout.data_dir, "control")
    assert component_user("control").name == CONTROL_USER_HERE


def test_nothing_of_aws_is_imported_but_by_adapters() -> None:
    program = """
import sys
from hearth.cli import stack
stack.preload()
stack.preload_rest()
print(*(each for each in sys.modules if "botocore" in each or each.startswith("eventing.aws")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_an_activator_alone_has_no_models_of_kinds() -> None:
    """They take 10 MB, and a cluster has many activators."""
    program = "import sys, activator.main; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_who_waits_for_the_api_imports_nothing_of_its_own() -> None:
    """A module that is imported in a child is not shared, and is waited for."""
    program = """
import sys
from hearth.cli.listeners import Listeners
from tests.unit.hearth.cli.test_stack import a_layout
from hearth.cli import stack
stack.preload()
stack.preload_rest()
before = set(sys.modules)
for component in stack.components(a_layout(), Listeners(("activator",)))[1:]:
    if component.on_demand or component.on_connection:
        continue
    component.make()
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
