"""Where Loki is asked, and what is read out of its answer."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.loki import url_of, value_of
from hearth.keda.scalers.seam import ScalerError


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("http://l", "/loki/api/v1/query"),
        ("http://l/", "/loki/api/v1/query"),
        ("http://l/loki", "/loki/api/v1/query"),
        ("http://l/loki/api/v1/query/", "/loki/api/v1/query"),
        ("http://l/gateway", "/gateway/loki/api/v1/query"),
        ("http://l/lokis", "/lokis/loki/api/v1/query"),
    ],
)
def test_the_path_is_completed(address, path):
    assert url_of(address) == f"http://l{path}"


def answer(*results):
    return {"data": {"result": [{"value": each} for each in results]}}


@pytest.mark.parametrize(
    ("found", "value"),
    [(answer([1, "2.5"]), 2.5), (answer(), 0), (answer([]), 0), (answer([1, None]), 0)],
)
def test_values(found, value):
    assert value_of(found, "q", True) == value


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answer(), "the result is empty"),
        (answer([]), "the value list is empty"),
        (answer([1]), "didn't return enough values"),
        (answer([1, "2"], [1, "3"]), "returned multiple elements"),
        (answer([1, "many"]), "no number"),
    ],
)
def test_what_is_no_value(found, words):
    with pytest.raises(ScalerError, match=words):
        value_of(found, "q", False)
