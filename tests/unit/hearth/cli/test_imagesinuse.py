from __future__ import annotations

from hearth.cli.imagesinuse import images_of


def test_images_are_found_at_any_depth() -> None:
    spec = {"containers": [{"image": "a"}, {"name": "b"}], "initContainers": [{"image": "c"}]}
    assert list(images_of({"spec": spec})) == ["a", "c"]
    job = {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
    assert list(images_of({"items": [job, {"spec": {"image": "not a container's"}}]})) == ["a", "c"]
    assert list(images_of({"containers": "none"})) == []


def test_images_of_pipelines_and_their_runs_are_found() -> None:
    assert list(images_of({"spec": {"script": {"inline": ""}, "image": "a"}})) == ["a"]
    assert list(images_of({"spec": {"script": "text", "settings": {"image": "b"}}})) == ["b"]
    assert list(images_of({"spec": {"script": {"inline": ""}}})) == []
