from __future__ import annotations

from hearth.cli.containerimages import ContainerImage
from hearth.cli.engineimages import names_of


def test_names_of_an_engine() -> None:
    entry = {
        "Id": "sha256:9",
        "Size": 5,
        "RepoTags": ["a.b/c:1", "localhost/d:2", "<none>:<none>"],
        "RepoDigests": ["a.b/c@sha256:1"],
    }
    assert names_of(entry) == [
        ContainerImage("a.b/c:1", "sha256:1", 5),
        ContainerImage("localhost/d:2", "sha256:9", 5),
    ]
    assert names_of({"Id": "x", "Size": 1, "RepoTags": None}) == []
