from __future__ import annotations

from dataclasses import replace

import pytest

from hearth.cluster.node.images.store import (
    ImageSpec,
    digest_of,
    unknown_image_message,
)


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ((), (), ("run", "-v", "default")),
        ((), ("mine",), ("run", "-v", "mine")),
        (("other",), (), ("other",)),
        (("other",), ("mine",), ("other", "mine")),
    ],
)
def test_command_and_args_replace_entrypoint_and_cmd(
    command: tuple[str, ...], args: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    image = ImageSpec(entrypoint=("run", "-v"), cmd=("default",))
    assert image.command_line(command, args) == expected


def test_the_digest_is_of_what_is_run() -> None:
    image = ImageSpec(entrypoint=("run",), env={"A": "1", "B": "2"})
    assert digest_of(image) == digest_of(replace(image, env={"B": "2", "A": "1"}))
    assert digest_of(image) == digest_of(replace(image, digest="sha256:x"))
    assert digest_of(image) != digest_of(replace(image, content="changed"))


def test_an_unknown_image_says_what_to_do() -> None:
    message = unknown_image_message("my/app")
    for way in (
        "install podman",
        "hearth image add my/app -- COMMAND",
        "hearth build DIR -t my/app",
    ):
        assert way in message
