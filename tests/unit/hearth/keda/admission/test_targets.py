"""References to scale targets, whose parts may be left out."""

from __future__ import annotations

import pytest

from hearth.keda.admission.targets import target_kind
from hearth.keda.api.checks import CheckError


@pytest.mark.parametrize(
    ("api_version", "kind", "text", "is_looked_up"),
    [
        ("", "", "apps/v1.Deployment", False),
        ("", "StatefulSet", "apps/v1.StatefulSet", False),
        ("v1", "ReplicationController", "/v1.ReplicationController", True),
        ("serving.knative.dev/v1", "Service", "serving.knative.dev/v1.Service", True),
        ("argoproj.io/v1alpha1", "Rollout", "argoproj.io/v1alpha1.Rollout", True),
    ],
)
def test_kinds_in_full(api_version: str, kind: str, text: str, is_looked_up: bool) -> None:
    found = target_kind(api_version, kind)
    assert (str(found), found.is_looked_up) == (text, is_looked_up)
    assert found.api_version == (api_version or "apps/v1")


def test_what_is_no_version() -> None:
    with pytest.raises(CheckError, match="unexpected GroupVersion string: a/b/c"):
        target_kind("a/b/c", "X")


def test_a_kind_that_is_not_there() -> None:
    missing = target_kind("example.com/v1", "Machine").missing()
    assert str(missing) == 'no matches for kind "Machine" in version "example.com/v1"'
