from __future__ import annotations

from typing import Any

from hearth.cluster.admission.chain import compiled


def test_webhooks_are_called_in_the_order_of_their_configurations_names() -> None:
    configurations: list[dict[str, Any]] = [
        {"metadata": {"name": "b"}, "webhooks": [{"name": "b1"}]},
        {"metadata": {"name": "a"}, "webhooks": [{"name": "a2"}, {"name": "a1"}]},
        {"metadata": {"name": "none"}},
    ]
    assert [webhook.uid for webhook in compiled(configurations)] == ["a/a2", "a/a1", "b/b1"]


def test_a_configuration_that_cannot_be_read_is_left_out_alone() -> None:
    configurations: list[dict[str, Any]] = [
        {"metadata": {"name": "broken"}, "webhooks": [{"rules": []}]},
        {"metadata": {"name": "good"}, "webhooks": [{"name": "g"}]},
    ]
    assert [webhook.uid for webhook in compiled(configurations)] == ["good/g"]
