from __future__ import annotations

import pytest

from hearth.oci.references import InvalidImageName, parse_reference

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
    ("name", "host", "path", "version"),
    [
        ("app", "registry-1.docker.io", "library/app", "latest"),
        ("localhost:5000/a/b:1", "localhost:5000", "a/b", "1"),
        (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io", "a/b", DIGEST),
    ],
)
def test_where_a_name_leads(name: str, host: str, path: str, version: str) -> None:
    reference = parse_reference(name)
    assert (reference.host, reference.path, reference.version) == (host, path, version)
