"""Settings of hearth.toml and of flags: one over the other, and errors that name what is wrong."""

from __future__ import annotations

import pytest

from hearth.functions.deploying.settings import (
    DeploySettings,
    SettingsError,
    read_file,
    service_name,
)


def test_a_file_says_what_flags_say() -> None:
    text = 'name = "shop"\nservice-account = "robot"\nmin = 1\n[env]\nA = "1"\n'
    assert read_file(text) == DeploySettings(
        name="shop", service_account="robot", min=1, env={"A": "1"}
    )


def test_flags_go_before_the_file() -> None:
    """Variables one by one, as they are named one by one."""
    file = DeploySettings(name="a", min=1, env={"A": "1", "B": "2"})
    flags = DeploySettings(min=0, env={"A": "3"})
    assert flags.over(file) == DeploySettings(name="a", min=0, env={"A": "3", "B": "2"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min = ", "hearth.toml"),
        ("mix = 1", "no setting 'mix'; there are annotations, args"),
        ("min = -1", "min is -1"),
        ("port = 70000", "port is 70000"),
        ('memory = "much"', "memory is 'much'"),
        ("[env]\nA = 1", "env.A is 1"),
    ],
)
def test_a_wrong_setting_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_file(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop", "shop"),
        ("My Shop_2", "my-shop-2"),
        ("ghcr.io/a/shop:v1", "shop"),
        ("shop@sha256:00", "shop"),
        ("x" * 80, "x" * 63),
    ],
)
def test_names(text: str, name: str) -> None:
    assert service_name(text) == name


@pytest.mark.parametrize("text", ["", "...", "2nd", "/"])
def test_what_makes_no_name(text: str) -> None:
    with pytest.raises(SettingsError, match="--service"):
        service_name(text)
