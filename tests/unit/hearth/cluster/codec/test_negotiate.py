from __future__ import annotations

import pytest

from hearth.cluster.codec.negotiate import Output, negotiate
from hearth.cluster.model.status import ApiStatus

JSON = Output("application/json")


@pytest.mark.parametrize(
    ("accept", "output"),
    [
        pytest.param("", JSON, id="nothing"),
        pytest.param("*/*", JSON, id="anything"),
        pytest.param("application/yaml", Output("application/yaml"), id="yaml"),
        pytest.param("text/html, application/json;q=0.5", JSON, id="second choice"),
        pytest.param(
            "application/vnd.kubernetes.protobuf,application/json", JSON, id="protobuf preferred"
        ),
        pytest.param(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Output("application/json", "Table", "meta.k8s.io", "v1"),
            id="table",
        ),
        pytest.param(
            "application/json;as=Table;v=v9;g=meta.k8s.io,application/json",
            JSON,
            id="unknown table version",
        ),
        pytest.param(
            "application/json;q=0.1,application/yaml", Output("application/yaml"), id="quality"
        ),
    ],
)
def test_the_best_clause_that_can_be_served(accept: str, output: Output) -> None:
    assert negotiate(accept) == output


def test_nothing_acceptable_is_refused() -> None:
    with pytest.raises(ApiStatus) as refusal:
        negotiate("text/html")
    assert refusal.value.code == 406
