from __future__ import annotations

import pytest

from hearth.cluster.node.runtime.api import CreateError
from hearth.cluster.node.runtime.containers import pulls


@pytest.mark.parametrize(
    ("policy", "is_present", "is_pulled"),
    [
        ("Always", True, True),
        ("Always", False, True),
        ("IfNotPresent", True, False),
        ("IfNotPresent", False, True),
        ("Never", True, False),
    ],
)
def test_policies(policy: str, is_present: bool, is_pulled: bool) -> None:
    assert pulls.needs_pull("x", policy, is_present=is_present) is is_pulled


def test_never_means_never() -> None:
    with pytest.raises(CreateError, match="not present with pull policy of Never") as caught:
        pulls.needs_pull("x", "Never", is_present=False)
    assert caught.value.reason == "ErrImageNeverPull"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.0123, "12ms"), (1.5, "1.5s"), (2.0, "2s"), (61.25, "1m1.25s"), (60, "1m0s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert pulls.pulled("x", seconds=seconds, waited=seconds, size=9) == (
        f'Successfully pulled image "x" in {text} ({text} including waiting). Image size: 9 bytes.'
    )
