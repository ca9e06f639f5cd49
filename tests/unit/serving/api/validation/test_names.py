"""Name rules and image references."""

import pytest

from serving.api.validation.image import is_reference
from serving.api.validation.names import domain_problem, generate_name_problems

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1.36",
        "ko.local/hello",
        "localhost:5000/a/b:c",
        f"gcr.io/a/b@{DIGEST}",
        f"gcr.io/a/b:tag@{DIGEST}",
        "a/b/c",
        "x_y.z-0/qq:T_a.g-1",
        "image:",
    ],
)
def test_images(image: str) -> None:
    assert is_reference(image)


@pytest.mark.parametrize(
    "image",
    [
        "a",
        "ko.local/a",
        "Foo/Bar",
        "foo:bar:baz",
        "foo@sha256:abc",
        "foo:" + "t" * 129,
        "b" * 256,
        "a b",
        "user@host.io/repo",
        "hash@md5:" + "a" * 64,
    ],
)
def test_no_images(image: str) -> None:
    assert not is_reference(image)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.example.org", ""),
        ("a.example.org.", ""),
        ("", "name: Required value"),
        (
            "localhost",
            'name: Invalid value: "localhost": should be a domain with at least two segments '
            "separated by dots",
        ),
        ("a." + "b" * 64, f'name: Invalid value: "{"b" * 64}": must be no more than 63 characters'),
    ],
)
def test_domains(name: str, problem: str) -> None:
    assert domain_problem(name) == problem


def test_prefixes() -> None:
    assert generate_name_problems("hello-") == []
    assert generate_name_problems("Hello-")
