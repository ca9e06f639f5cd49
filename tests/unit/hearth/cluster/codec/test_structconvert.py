from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.codec.structconvert import conversion_error, go_text
from hearth.cluster.kinds.catalog import KINDS

DEPLOYMENT = next(kind for kind in KINDS if kind.plural == "deployments")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, "x", None], "a": {"c": True}}, "map[a:map[c:true] b:[1 x <nil>]]"),
        (1.5, "1.5"),
        ({}, "map[]"),
    ],
)
def test_values_are_printed_as_go_prints_them(value: Any, text: str) -> None:
    assert go_text(value) == text


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"replicas": "x"}, "unrecognized type: int32"),
        ({"replicas": 1.5}, "cannot convert float64 to int32"),
        ({"replicas": 2.0}, ""),
        ({"paused": "yes"}, "unrecognized type: bool"),
        ({"template": "x"}, "cannot restore struct from: string"),
        ({"selector": {"matchLabels": []}}, "cannot restore map from slice"),
        ({"template": {"spec": {"containers": {}}}}, "cannot restore slice from map"),
        ({"template": {"spec": {"restartPolicy": 1}}}, "cannot convert int64 to v1.RestartPolicy"),
        ({"template": {"spec": {"hostname": {}}}}, "unrecognized type: string"),
    ],
)
def test_values_that_fit_no_struct_are_told_in_the_words_of_go(spec: Any, problem: str) -> None:
    assert conversion_error({"spec": spec}, DEPLOYMENT.schema) == problem
