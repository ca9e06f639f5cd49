from __future__ import annotations

from dataclasses import replace

import pytest

from hearth.cluster.node.images.store import (
    ImageSpec,
    InvalidImageName,
    digest_of,
    parse_reference,
    unknown_image_message,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("app", "docker.io/library/app:latest"),
        ("app:1", "docker.io/library/app:1"),
        ("my/app", "docker.io/my/app:latest"),
        ("docker.io/app", "docker.io/library/app:latest"),
        ("index.docker.io/library/app:1", "docker.io/library/app:1"),
        ("hearth.dev/samples/hello", "hearth.dev/samples/hello:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        (f"app@{DIGEST}", f"docker.io/library/app@{DIGEST}"),
        (f"app:1@{DIGEST}", f"docker.io/library/app:1@{DIGEST}"),
    ],
)
def test_full_names(name: str, full: str) -> None:
    assert str(parse_reference(name)) == full
    assert str(parse_reference(full)) == full


@pytest.mark.parametrize(
    "name",
    [
        "",
        "App",
        "my/App",
        "a b",
        "app:",
        "app@sha256:12",
        "-a",
        "app:1\n",
        "a//b",
        "app:é",
        "a.b:١/c",
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidImageName):
        parse_reference(name)


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
    assert "hearth image add my/app -- COMMAND" in unknown_image_message("my/app")
