"""What the data plane reads from ConfigMaps."""

import pytest

from eventing.api.settings import DEFAULT_FEATURES
from eventing.runtime.settings import RuntimeSettings
from hearth.knative.settings import LiveSettings


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
