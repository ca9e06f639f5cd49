"""The variables of the add-on's interceptor: what each means to the activator, and bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hearth.cli.interceptor import VARIABLES, Interceptor, read_interceptor
from hearth.cli.settings import InvalidSetting, from_environment

POD = {"POD_NAME": "activator-0", "POD_IP": "10.0.0.1"}


def test_nothing_said_is_the_add_ons_defaults() -> None:
    assert read_interceptor({"KEDA_HTTP_REQUEST_TIMEOUT": ""}) == Interceptor()


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("KEDA_HTTP_REQUEST_TIMEOUT", "1m30s", {"request_timeout": 90.0}),
        ("KEDA_HTTP_RESPONSE_HEADER_TIMEOUT", "0s", {"response_header_timeout": 0.0}),
        ("KEDA_HTTP_READINESS_TIMEOUT", "500ms", {"readiness_timeout": 0.5}),
        ("KEDA_CONDITION_WAIT_TIMEOUT", "20s", {"readiness_timeout": 20.0}),
        ("KEDA_RESPONSE_HEADER_TIMEOUT", "1s", {"response_header_timeout": 1.0}),
        ("KEDA_HTTP_ENABLE_COLD_START_HEADER", "false", {"enable_cold_start_header": False}),
        (
            "KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS",
            "5",
            {"cold_start_max_pending_requests": 5},
        ),
        ("KEDA_HTTP_WATCH_NAMESPACE", "apps", {"watch_namespace": "apps"}),
        ("KEDA_HTTP_ADMIN_PORT", "9090", {"admin_port": 9090}),
        ("KEDA_HTTP_PROXY_PORT", "8080", {"proxy_port": 8080}),
        ("KEDA_HTTP_CONNECT_TIMEOUT", "500ms", {"connect_timeout": 0.5}),
        ("KEDA_HTTP_SHUTDOWN_DELAY", "5s", {"shutdown_delay": 5.0}),
        ("KEDA_HTTP_DRAIN_TIMEOUT", "30s", {"drain_timeout": 30.0}),
    ],
)
def test_each_variable(variable: str, text: str, said: dict[str, Any]) -> None:
    assert variable in VARIABLES
    assert read_interceptor({variable: text}) == Interceptor(**said)


def test_deprecated_names_go_before_the_new_ones_where_they_say_more_than_nothing() -> None:
    both = {"KEDA_HTTP_READINESS_TIMEOUT": "5s", "KEDA_CONDITION_WAIT_TIMEOUT": "7s"}
    assert read_interceptor(both).readiness_timeout == 7.0
    nothing = both | {"KEDA_CONDITION_WAIT_TIMEOUT": "0s"}
    assert read_interceptor(nothing).readiness_timeout == 5.0


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("KEDA_HTTP_REQUEST_TIMEOUT", "soon", 'time: invalid duration "soon"'),
        ("KEDA_HTTP_REQUEST_TIMEOUT", "-1s", "'-1s' is negative"),
        ("KEDA_HTTP_ENABLE_COLD_START_HEADER", "yes", "'yes' is none of true, false"),
        ("KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS", "-1", "'-1' is no number"),
        ("KEDA_HTTP_ADMIN_PORT", "70000", "70000 is out of range"),
    ],
)
def test_a_bad_one_is_named(variable: str, text: str, fault: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        from_environment(POD | {variable: text}, Path("/kubeconfig"))
    assert str(raised.value) == f"{variable}: {fault}"


def test_some_are_settings_of_the_activator_under_another_name() -> None:
    given = {
        "KEDA_HTTP_PROXY_PORT": "1234",
        "KEDA_HTTP_SHUTDOWN_DELAY": "1s",
        "KEDA_HTTP_DRAIN_TIMEOUT": "2s",
    }
    found = from_environment(POD | given, Path("/kubeconfig"))
    assert (found.gateway_port, found.drain_delay_seconds, found.drain_seconds) == (1234, 1.0, 2.0)
    own = from_environment(POD | given | {"HEARTH_GATEWAY_PORT": "4321"}, Path("/kubeconfig"))
    assert own.gateway_port == 4321
