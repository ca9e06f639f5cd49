"""What can be said about a deployment, by flags or in hearth.toml.

What is not said stays as the Service has it, as with ``gcloud run deploy``.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

FILE = "hearth.toml"

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9.]+(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Count = Annotated[int, Field(ge=0)]


class SettingsError(ValueError):
    """A setting that cannot be; the text names it and where it was read."""


class DeploySettings(BaseModel):
    """One deployment's settings; None leaves things as they are.

    ``secrets`` is ``{"NAME": "secret:key", "/path": "secret"}``: a variable or a folder of files.
    ``bind`` is ``NAME`` or ``NAME=AS`` of what it reaches, or a URL.
    ``registry`` is where an image made of a folder goes, ``base`` what it is made on, ``platforms``
    what for (``linux/amd64``); ``build`` is ``code`` or the path of a Dockerfile. ``cpu`` and
    ``memory`` are limits. ``min`` and ``max`` count pods of a revision. ``warm`` has
    its programs forked from a warm interpreter. ``unset`` names variables that go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    image: str | None = None
    registry: str | None = None
    base: str | None = None
    platforms: list[str] | None = None
    build: str | None = None
    build_args: dict[str, str] = Field(default_factory=dict)
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    env: dict[str, str] = Field(default_factory=dict)
    unset: list[str] | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    bind: list[str] | None = None
    cpu: Quantity | None = None
    memory: Quantity | None = None
    min: Count | None = None
    max: Count | None = None
    concurrency: Count | None = None
    target: Annotated[int, Field(ge=1)] | None = None
    timeout: Annotated[int, Field(ge=1)] | None = None
    private: bool | None = None
    warm: bool | None = None
    domain: str | None = None
    service_account: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    def over(self, beneath: Self) -> Self:
        """Return these settings where they say something, else those beneath."""
        merged = beneath.model_dump(exclude_none=True)
        for field, value in self.model_dump(exclude_none=True).items():
            merged[field] = {**merged.get(field, {}), **value} if isinstance(value, dict) else value
        return type(self).model_validate(merged)


def read_file(text: str) -> DeploySettings:
    """Return what a hearth.toml says; SettingsError names the line or the setting."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE}: {error}") from error
    return settings_of({key.replace("-", "_"): value for key, value in content.items()}, FILE)


def settings_of(values: dict[str, Any], origin: str) -> DeploySettings:
    """Return settings of plain values; SettingsError says what is wrong with which."""
    try:
        return DeploySettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(f"{origin}: {_told(dict(each))}" for each in error.errors())
        ) from error


def _told(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(DeploySettings.model_fields)).replace("_", "-")
        return f"there is no setting {place!r}; there are {known}"
    return f"{place} is {error['input']!r}: {error['msg']}"


def service_name(text: str) -> str:
    """Return a name for a Service made of a folder's or an image's; SettingsError if none is."""
    last = text.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0]
    name = re.sub(r"[^a-z0-9-]+", "-", last.lower()).strip("-")[:63].strip("-")
    if not name or not name[0].isalpha():
        raise SettingsError(f"{text!r} makes no name for a Service: give one with --service")
    return name
