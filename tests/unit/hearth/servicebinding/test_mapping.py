"""Where pod templates are, by kind and version."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.servicebinding.mapping import built_in, problems, template_of
from hearth.servicebinding.paths import PathError


def test_without_a_mapping_a_kind_holds_a_pod_template() -> None:
    template = template_of(built_in("deployments.apps"), "v1")
    assert template.volumes == ("spec", "template", "spec", "volumes")
    assert [each.path[-2:] for each in template.containers] == [
        ("initContainers", "*"),
        ("containers", "*"),
    ]
    assert template_of({}, "v1") == template
    assert template_of({"versions": [{"version": "v9", "volumes": ".x"}]}, "v1") == template


def test_a_version_goes_before_all_others() -> None:
    spec = {
        "versions": [{"version": "*", "volumes": ".any"}, {"version": "v2", "volumes": ".second"}]
    }
    assert template_of(spec, "v2").volumes == ("second",)
    assert template_of(spec, "v3").volumes == ("any",)


def test_a_path_that_came_past_admission_is_refused() -> None:
    with pytest.raises(PathError):
        template_of({"versions": [{"version": "*", "volumes": ".a[*]"}]}, "v1")


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([{"version": "*"}, {"version": "*"}], "spec.versions.[0, 1].version: Duplicate value"),
        ([{}], 'spec.versions[0].version: Required value: ""'),
        ([{"version": "*", "volumes": ".a[0]"}], "spec.versions[0].volumes: Invalid value"),
        ([{"version": "*", "annotations": "a"}], "spec.versions[0].annotations: Invalid value"),
        ([{"version": "*", "containers": [{}]}], "spec.versions[0].containers[0].path"),
        (
            [{"version": "*", "containers": [{"path": ".a", "env": ".b[*]"}]}],
            "spec.versions[0].containers[0].env",
        ),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said(versions: list[Any], words: str) -> None:
    [problem] = problems({"spec": {"versions": versions}})
    assert words in problem


def test_a_good_mapping_is_taken() -> None:
    assert list(problems({"spec": built_in("cronjobs.batch")})) == []
