from __future__ import annotations

import pytest

from hearth.cluster.node.runtime.choice import hint_for


@pytest.mark.parametrize(
    ("image", "is_hinted"),
    [
        ("my-app", True),
        ("team/app:2", True),
        ("localhost/app", True),
        ("ghcr.io/team/app", False),
        ("localhost:5000/app", False),
        ("docker.io/library/app", False),
        ("No Image", False),
    ],
)
def test_who_names_no_registry_may_have_meant_a_command(image: str, is_hinted: bool) -> None:
    assert (f"`hearth image add {image} -- COMMAND`" in hint_for(image)) == is_hinted
