from __future__ import annotations

from typing import Any

import pytest

from serving.api.config.deployment import DeploymentConfig
from serving.api.settings import Settings
from serving.kinds.revision.digests import asked_of, by_digest, kept_images, stated, with_images

DIGEST = f"sha256:{'a' * 64}"
ON = Settings(deployment=DeploymentConfig.from_data({"digest-resolution": "enabled"}))


def a_revision(**images: str) -> dict[str, Any]:
    containers = [{"name": name, "image": image} for name, image in images.items()]
    return {"metadata": {"name": "r", "namespace": "ns"}, "spec": {"containers": containers}}


def a_deployment(**images: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": a_revision(**images)["spec"]}}}


@pytest.mark.parametrize(
    ("image", "is_asked"),
    [
        ("nginx", True),
        ("ghcr.io/a/b:1", True),
        (f"ghcr.io/a/b@{DIGEST}", False),
        ("dev.local/a", False),
        ("ko.local/a:1", False),
        ("No Image", False),
    ],
)
def test_tags_are_asked_about_but_those_of_registries_to_skip(image: str, is_asked: bool) -> None:
    assert bool(asked_of(a_revision(a=image), ON)) is is_asked
    assert asked_of(a_revision(a=image), Settings()) == {}, "off by default"


@pytest.mark.parametrize("name", ["index.docker.io", "docker.io"])
def test_docker_hub_is_skipped_under_either_name(name: str) -> None:
    data = {"digest-resolution": "enabled", "registries-skipping-tag-resolving": name}
    settings = Settings(deployment=DeploymentConfig.from_data(data))
    assert asked_of(a_revision(a="nginx"), settings) == {}


def test_an_image_is_named_by_its_digest_as_knative_names_it() -> None:
    (hub,) = asked_of(a_revision(a="nginx:1"), ON).values()
    assert by_digest(hub, DIGEST) == f"index.docker.io/library/nginx@{DIGEST}"
    (other,) = asked_of(a_revision(a="localhost:5000/a:1"), ON).values()
    assert by_digest(other, DIGEST) == f"localhost:5000/a@{DIGEST}"


def test_a_deployment_keeps_the_digests_it_was_made_with() -> None:
    revision = a_revision(a="x/a:1", b=f"x/b@{DIGEST}", c="x/c")
    made = a_deployment(a=f"x/a@{DIGEST}", b=f"x/b@{DIGEST}", c="x/other")
    assert kept_images(revision, made) == {"a": f"x/a@{DIGEST}"}
    assert kept_images(revision, None) == {}
    images = with_images(revision, kept_images(revision, made))["spec"]["containers"]
    assert [each["image"] for each in images] == [f"x/a@{DIGEST}", f"x/b@{DIGEST}", "x/c"]


def test_what_the_status_says_is_not_asked_again() -> None:
    revision = a_revision(a="x/a:1", b="x/b:1")
    told = [{"name": "a", "imageDigest": f"x/a@{DIGEST}"}, {"name": "b"}]
    revision["status"] = {"containerStatuses": told}
    assert stated(revision, asked_of(revision, ON)) == {"a": f"x/a@{DIGEST}"}


def test_the_setting_has_two_words() -> None:
    with pytest.raises(ValueError, match="digest-resolution must be enabled or disabled"):
        DeploymentConfig.from_data({"digest-resolution": "on"})
