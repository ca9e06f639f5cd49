"""func.yaml as Knative func has it (schema/func_yaml-schema.json there), read and written.

Fields that func has for building elsewhere (buildpacks, git, remote builds) are kept as they are
and have no effect here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

FILE = "func.yaml"
SPEC_VERSION = "0.36.0"

Quantity = Annotated[
    str, StringConstraints(pattern=r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
]
Key = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?"
        r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
    ),
]


class ProjectError(ValueError):
    """A func.yaml that cannot be used; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Env(_Part):
    """A variable; without a name all of a ``{{ secret:NAME }}`` or ``{{ configMap:NAME }}``."""

    name: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")] | None = None
    value: str | None = None


class Claim(_Part):
    """A PersistentVolumeClaim."""

    claim_name: Annotated[str, Field(alias="claimName")]
    read_only: Annotated[bool, Field(alias="readOnly")] = False


class EmptyDir(_Part):
    """A folder that lives as long as its pod."""

    medium: Literal["", "Memory"] = ""
    size_limit: Annotated[str | None, Field(alias="sizeLimit")] = None


class Volume(_Part):
    """One of four, at a path."""

    path: str
    secret: str | None = None
    config_map: Annotated[str | None, Field(alias="configMap")] = None
    claim: Annotated[Claim | None, Field(alias="persistentVolumeClaim")] = None
    empty_dir: Annotated[EmptyDir | None, Field(alias="emptyDir")] = None


class Run(_Part):
    """How it runs."""

    volumes: list[Volume] = Field(default_factory=list)
    envs: list[Env] = Field(default_factory=list)
    start_timeout: Annotated[int | None, Field(alias="startTimeout")] = None
    kafka: dict[str, str] | None = None


class Scale(_Part):
    """How it scales: pods, what is counted, how much of it a pod takes."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None
    metric: Literal["concurrency", "rps"] | None = None
    target: Annotated[float, Field(ge=0)] | None = None
    utilization: Annotated[float, Field(ge=1, le=100)] | None = None


class Requests(_Part):
    """What it is sure to get."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Limits(Requests):
    """What it gets at most; ``concurrency`` counts requests at once in a pod."""

    concurrency: Annotated[int, Field(ge=0)] | None = None


class Resources(_Part):
    """Requests and limits."""

    requests: Requests | None = None
    limits: Limits | None = None


class Options(_Part):
    """Scaling and resources."""

    scale: Scale | None = None
    resources: Resources | None = None


class Label(_Part):
    """A label; its value may be ``{{ env:NAME }}``."""

    key: Key
    value: str | None = None


class Health(_Part):
    """Paths that probes ask."""

    liveness: str | None = None
    readiness: str | None = None


class Subscription(_Part):
    """Events that it gets: of the Broker ``source``, with these attributes."""

    source: str
    filters: dict[str, str] = Field(default_factory=dict)


class Deploy(_Part):
    """How it is deployed."""

    namespace: str | None = None
    image: str | None = None
    annotations: dict[str, str] = Field(default_factory=dict)
    options: Options | None = None
    labels: list[Label] = Field(default_factory=list)
    health: Annotated[Health | None, Field(alias="healthEndpoints")] = None
    service_account: Annotated[str | None, Field(alias="serviceAccountName")] = None
    pull_secret: Annotated[str | None, Field(alias="imagePullSecret")] = None
    deployer: str | None = None
    subscriptions: list[Subscription] = Field(default_factory=list)
    management_disabled: Annotated[bool | None, Field(alias="managementDisabled")] = None


class Project(_Part):
    """A function's project."""

    spec_version: Annotated[str, Field(alias="specVersion")] = SPEC_VERSION
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] | None = (
        None
    )
    domain: str | None = None
    runtime: str | None = None
    registry: str | None = None
    registry_insecure: Annotated[bool | None, Field(alias="registryInsecure")] = None
    image: str | None = None
    namespace: str | None = None
    deployer: Literal["knative", "raw", "keda"] | None = None
    created: str
    invoke: Literal["http", "cloudevent"] | None = None
    build: dict[str, Any] | None = None
    run: Run = Field(default_factory=Run)
    deploy: Deploy = Field(default_factory=Deploy)


def read_project(text: str) -> Project:
    """Return what a func.yaml says; ProjectError names what is wrong in it."""
    try:
        said = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ProjectError(f"{FILE}: {error}") from error
    if not isinstance(said, dict):
        raise ProjectError(f"{FILE} says nothing")
    try:
        return Project.model_validate(said)
    except ValidationError as error:
        raise ProjectError(
            "; ".join(f"{FILE}: {_told(each)}" for each in error.errors())
        ) from error


def write_project(project: Project) -> str:
    """Return the text of a func.yaml, without what it does not say."""
    said = project.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    first = {"specVersion": project.spec_version, **said}
    return yaml.safe_dump(first, sort_keys=False)


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no field {place}"
    return f"{place}: {error['msg']}"


class _Loader(yaml.SafeLoader):
    """Moments stay the text that they are."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

REFERENCE = re.compile(
    r"^{{\s*(secret|configMap|env)\s*:\s*([-._a-zA-Z0-9]+)\s*(?::\s*([-._a-zA-Z0-9]+)\s*)?}}$"
)
