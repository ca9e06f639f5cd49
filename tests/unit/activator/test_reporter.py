from __future__ import annotations

from activator.reporter import merged
from activator.targets import TargetSpec, port_target
from serving.api.extraports import ExtraPort
from serving.api.stats import Stat


def test_ports_of_one_revision_are_reported_as_one() -> None:
    usual = Stat("ns", "a", 1.5, 3, 1, {"pod": 1}, {0: 2})
    other = Stat("ns", "a", 0.5, 1, 2, {"pod": 2, "other": 1}, {0: 1, 1: 1})
    alone = Stat("ns", "b", 1.0, 1)
    assert merged([usual, alone, other]) == [
        Stat("ns", "a", 2.0, 4, 3, {"pod": 3, "other": 1}, {0: 3, 1: 1}),
        alone,
    ]
    assert merged([alone]) == [alone]


def test_another_port_scales_its_revision_and_has_no_limit() -> None:
    target = TargetSpec("ns", "a", container_concurrency=1, timeout_seconds=7.0)
    port = port_target(target, ExtraPort("grpc", 50051))
    assert (port.name, port.scaled_name, target.scaled_name) == ("a:grpc", "a", "a")
    assert (port.container_concurrency, port.timeout_seconds) == (0, 7.0)
