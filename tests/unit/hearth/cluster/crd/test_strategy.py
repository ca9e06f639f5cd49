"""What becomes of the status of a custom resource when it is created."""

from __future__ import annotations

import pytest

from hearth.cluster.crd.strategy import make_strategy


@pytest.mark.parametrize(
    ("status", "wanted"),
    [({"type": "object"}, {}), ({"type": "object", "default": {}}, {"status": {}})],
)
@pytest.mark.parametrize("given", [{}, {"status": {"x": 1}}])
def test_a_status_is_not_created_and_has_its_default(status, wanted, given) -> None:
    schema = {"type": "object", "properties": {"status": status}}
    strategy = make_strategy(schema, group_version="g/v1", kind="K", has_status=True)
    obj = {"metadata": {"name": "n"}, **given}
    strategy.prepare(obj, None)
    assert obj == {"metadata": {"name": "n"}, **wanted}
