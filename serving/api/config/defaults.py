"""config-defaults: what a revision gets when its author leaves it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearth.knative.configmap import Reader
from serving.api import gotemplate

_MAX_INT32 = 2**31 - 1


@dataclass(frozen=True, slots=True)
class DefaultsConfig:
    """Quantities are canonical text; ``enable_service_links`` None leaves the field alone."""

    revision_timeout_seconds: int = 300
    max_revision_timeout_seconds: int = 600
    revision_response_start_timeout_seconds: int = 300
    revision_idle_timeout_seconds: int = 0
    container_name_template: str = "user-container"
    init_container_name_template: str = "init-container"
    container_concurrency: int = 0
    container_concurrency_max_limit: int = 1000
    allow_container_concurrency_zero: bool = True
    enable_service_links: bool | None = False
    revision_cpu_request: str | None = None
    revision_memory_request: str | None = None
    revision_ephemeral_storage_request: str | None = None
    revision_cpu_limit: str | None = None
    revision_memory_limit: str | None = None
    revision_ephemeral_storage_limit: str | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> DefaultsConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        config = _read(Reader(data), data)
        _check_timeouts(config)
        _check_concurrency(config)
        for template in (config.container_name_template, config.init_container_name_template):
            try:
                container_name(template, {})
            except gotemplate.TemplateError as error:
                raise ValueError(f"error executing template: {error}") from None
        return config

    @property
    def requests(self) -> dict[str, str]:
        """Default resource requests by resource name."""
        return _present(
            self.revision_cpu_request,
            self.revision_memory_request,
            ephemeral_storage=self.revision_ephemeral_storage_request,
        )

    @property
    def limits(self) -> dict[str, str]:
        """Default resource limits by resource name."""
        return _present(
            self.revision_cpu_limit,
            self.revision_memory_limit,
            ephemeral_storage=self.revision_ephemeral_storage_limit,
        )


def _present(
    cpu: str | None, memory: str | None, *, ephemeral_storage: str | None
) -> dict[str, str]:
    resources = {"cpu": cpu, "memory": memory, "ephemeral-storage": ephemeral_storage}
    return {name: value for name, value in resources.items() if value is not None}


def _read(reader: Reader, data: Mapping[str, str]) -> DefaultsConfig:
    init_name = _template(data, "init-container-name-template", "init-container")
    name = _template(data, "container-name-template", "user-container")
    zero = reader.boolean("allow-container-concurrency-zero", default=True)
    timeout = reader.integer("revision-timeout-seconds", default=300)
    return DefaultsConfig(
        init_container_name_template=init_name,
        container_name_template=name,
        allow_container_concurrency_zero=zero,
        enable_service_links=_tri_state(data.get("enable-service-links")),
        revision_timeout_seconds=timeout,
        max_revision_timeout_seconds=reader.integer("max-revision-timeout-seconds", default=600),
        revision_idle_timeout_seconds=reader.integer("revision-idle-timeout-seconds", default=0),
        container_concurrency=reader.integer("container-concurrency", default=0),
        container_concurrency_max_limit=reader.integer(
            "container-concurrency-max-limit", default=1000
        ),
        revision_cpu_request=reader.quantity("revision-cpu-request"),
        revision_memory_request=reader.quantity("revision-memory-request"),
        revision_ephemeral_storage_request=reader.quantity("revision-ephemeral-storage-request"),
        revision_cpu_limit=reader.quantity("revision-cpu-limit"),
        revision_memory_limit=reader.quantity("revision-memory-limit"),
        revision_ephemeral_storage_limit=reader.quantity("revision-ephemeral-storage-limit"),
        revision_response_start_timeout_seconds=reader.integer(
            "revision-response-start-timeout-seconds", default=timeout
        ),
    )


def _template(data: Mapping[str, str], key: str, default: str) -> str:
    text = data.get(key, default)
    gotemplate.parse("container-template", text)
    return text


def _tri_state(text: str | None) -> bool | None:
    """True, False, or None for any other word; without the key, False."""
    if text is None:
        return False
    return {"true": True, "false": False}.get(text.lower())


def _check_timeouts(config: DefaultsConfig) -> None:
    timeout, longest = config.revision_timeout_seconds, config.max_revision_timeout_seconds
    if timeout > longest:
        raise ValueError(
            f"revision-timeout-seconds ({timeout}) cannot be greater than "
            f"max-revision-timeout-seconds ({longest})"
        )
    for key, seconds in (
        ("revision-response-start-timeout-seconds", config.revision_response_start_timeout_seconds),
        ("revision-idle-timeout-seconds", config.revision_idle_timeout_seconds),
    ):
        if seconds > 0 and seconds > timeout:
            raise ValueError(
                f"{key} ({seconds}) cannot be greater than revision-timeout-seconds ({timeout})"
            )


def _check_concurrency(config: DefaultsConfig) -> None:
    concurrency, limit = config.container_concurrency, config.container_concurrency_max_limit
    if limit < 1:
        raise ValueError(f"expected 1 <= {limit} <= {_MAX_INT32}: container-concurrency-max-limit")
    if not 0 <= concurrency <= limit:
        raise ValueError(f"expected 0 <= {concurrency} <= {limit}: container-concurrency")


def container_name(template: str, metadata: Mapping[str, object]) -> str:
    """A container's default name for a parent with this metadata."""
    data = gotemplate.Struct(
        "v1.ObjectMeta",
        {
            "Name": metadata.get("name", ""),
            "GenerateName": metadata.get("generateName", ""),
            "Namespace": metadata.get("namespace", ""),
            "UID": metadata.get("uid", ""),
            "ResourceVersion": metadata.get("resourceVersion", ""),
            "Generation": metadata.get("generation", 0),
            "Labels": metadata.get("labels") or {},
            "Annotations": metadata.get("annotations") or {},
        },
    )
    return gotemplate.parse("container-template", template).execute(data)
