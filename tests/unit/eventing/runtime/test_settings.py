"""What the data plane reads from ConfigMaps."""

import pytest

from eventing.api.settings import DEFAULT_FEATURES
from eventing.runtime.settings import Flags, RuntimeSettings
from hearth.knative.settings import LiveSettings
from hearth.observability.traces.config import HTTP, TracingConfig


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({}, True),
        (DEFAULT_FEATURES, True),
        ({"event-journeys": "enabled"}, True),
        ({"event-journeys": " Disabled "}, False),
    ],
)
def test_journeys_are_kept_unless_switched_off(data: dict[str, str], kept: bool) -> None:
    settings = LiveSettings(RuntimeSettings())
    settings.offer("config-features", data)
    assert settings.value.journeys is kept


@pytest.mark.parametrize(
    ("given", "rate"), [({}, 0), ({"namespace-event-rate": "250"}, 250), (DEFAULT_FEATURES, 0)]
)
def test_how_much_a_namespace_may_send(given: dict[str, str], rate: float) -> None:
    assert Flags.from_data(given).event_rate == rate


@pytest.mark.parametrize("given", ["many", "-1", "inf", "nan"])
def test_what_is_no_rate(given: str) -> None:
    with pytest.raises(ValueError):
        Flags.from_data({"namespace-event-rate": given})


def test_where_traces_go() -> None:
    settings = LiveSettings(RuntimeSettings())
    assert settings.value.observability.tracing == TracingConfig()
    given = {
        "_example": "x",
        "tracing-protocol": "http/protobuf",
        "tracing-endpoint": "http://collector:4318",
        "tracing-sampling-rate": "0.01",
    }
    settings.offer("config-observability", given)
    expected = TracingConfig(HTTP, "http://collector:4318", 0.01)
    assert settings.value.observability.tracing == expected
    settings.offer("config-observability", given | {"tracing-sampling-rate": "2"})
    assert settings.value.observability.tracing == expected


@pytest.mark.parametrize(
    ("given", "most"),
    [({}, 0), ({"namespace-event-disk": " 2Gi "}, 2 << 30), (DEFAULT_FEATURES, 0)],
)
def test_how_much_of_the_disk_a_namespace_may_take(given, most):
    assert Flags.from_data(given).event_disk == most


def test_a_share_of_the_disk_that_is_none_is_named():
    with pytest.raises(ValueError, match="namespace-event-disk: "):
        Flags.from_data({"namespace-event-disk": "some"})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, ""),
        (DEFAULT_FEATURES, ""),
        ({"oidc-discovery-base-url": "https://kubernetes.default.svc"}, ""),
        ({"oidc-discovery-base-url": "https://oidc.example/ID/1"}, "https://oidc.example/ID/1"),
    ],
)
def test_where_the_issuer_of_tokens_tells_of_itself(given, url):
    assert Flags.from_data(given).discovery_url == url
