"""What tests of several packages share: a registry with images, begun by the first who asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images import Registry, TestImage, python_image, registry, static_image


@pytest.fixture(scope="session")
def images_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="session")
def static_layout(images_folder: Path) -> TestImage:
    return static_image(images_folder)


@pytest.fixture(scope="session")
def python_layout(images_folder: Path) -> TestImage:
    return python_image(images_folder)


@pytest.fixture(scope="session")
def image_registry(images_folder: Path, static_layout: TestImage) -> Iterator[Registry]:
    """Holds ``app:1``, the static program."""
    with registry(images_folder) as started:
        started.push(static_layout, "app:1")
        yield started


@pytest.fixture(scope="session")
def locked_registry(images_folder: Path, static_layout: TestImage) -> Iterator[Registry]:
    """The same behind a user and password."""
    with registry(images_folder, has_password=True) as started:
        started.push(static_layout, "app:1")
        yield started
