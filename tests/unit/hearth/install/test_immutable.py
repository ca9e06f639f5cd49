"""A StatefulSet's claims stay as they were made."""

from __future__ import annotations

from typing import Any

from hearth.install.immutable import as_made, as_settled


def stateful_set(size: str, **more: Any) -> dict[str, Any]:
    spec = {"resources": {"requests": {"storage": size}}, **more}
    return {"kind": "StatefulSet", "spec": {"replicas": 1, "volumeClaimTemplates": [spec]}}


def test_what_a_server_added_is_no_change() -> None:
    wanted = stateful_set("1Gi")
    assert as_made(wanted, stateful_set("1Gi", volumeMode="Filesystem")) == (wanted, None)


def test_another_size_is_left_as_it_is_and_told() -> None:
    present = stateful_set("1Gi", volumeMode="Filesystem")
    kept, text = as_made(stateful_set("2Gi"), present)
    assert kept["spec"] == {**present["spec"], "replicas": 1}
    assert text is not None and text.startswith(".spec.volumeClaimTemplates")


def test_what_is_new_or_of_another_kind_passes() -> None:
    wanted = stateful_set("1Gi")
    assert as_made(wanted, None) == (wanted, None)
    config = {"kind": "ConfigMap", "data": {}}
    assert as_made(config, {"kind": "ConfigMap"}) == (config, None)


def config(**data: str) -> dict[str, Any]:
    metadata = {"name": "config-domain", "namespace": "knative-serving"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_default_that_somebody_took_away_stays_away() -> None:
    wanted = config(_example="e", default="")
    assert as_settled(wanted, None, {}) == wanted
    assert as_settled(wanted, config(default=""), {}) == wanted
    assert as_settled(wanted, config(own=""), {})["data"] == {"_example": "e"}
    assert "data" not in as_settled(config(default=""), config(own=""), {})


def test_what_was_chosen_is_set_again() -> None:
    chosen = {"config": {"serving": {"config-domain": {"default": ""}}}}
    wanted = config(default="")
    assert as_settled(wanted, config(own=""), chosen) == wanted
