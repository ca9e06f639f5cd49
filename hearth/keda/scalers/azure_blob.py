"""``azure-blob``: blobs of a container of Azure Storage.

Sources: KEDA's ``azure_blob_scaler.go``; "List Blobs" of Azure's REST reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from hearth.keda.scalers.azure_storage import Storage, account_of, endpoint_suffix
from hearth.keda.scalers.globs import Pattern, compile_glob
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    container: str = param("blobContainerName")
    target: int = param("blobCount", default="5")
    activation: int = param("activationBlobCount", default="0")
    delimiter: str = param("blobDelimiter", default="/")
    prefix: str = param("blobPrefix", optional=True)
    recursive: bool = param("recursive", default="false")
    glob: str = param("globPattern", optional=True)
    suffix: str = param("endpointSuffix", optional=True)
    connection: str = param(
        "connection", "connectionFromEnv", order=(AUTH, ENV, METADATA), optional=True
    )
    account: str = param("accountName", optional=True)

    def pattern(self) -> Pattern | None:
        """Return what names have to match; raises ConfigError for a pattern that is none."""
        return compile_glob(self.glob.removeprefix("/")) if self.glob else None

    def check(self) -> None:
        """Refuse a pattern that cannot be read."""
        self.pattern()

    def listing(self) -> dict[str, str]:
        """Return the query of a listing."""
        delimiter = "" if self.recursive else self.delimiter
        prefix = self.prefix + delimiter if self.prefix else ""
        asked = {"restype": "container", "comp": "list", "prefix": prefix}
        asked |= {} if self.glob else {"delimiter": delimiter}
        return {key: value for key, value in asked.items() if value}


def _check(settings: Settings, config: TriggerConfig) -> None:
    endpoint_suffix(config.metadata, "blob")
    provider = config.pod_identity.provider
    if provider == "none" and not settings.connection:
        raise ConfigError("connection string is required when not using pod identity)")
    if provider == "azure-workload" and not settings.account:
        raise ConfigError("accountName is required when using Azure Workload Identity")
    if provider not in ("none", "azure-workload"):
        raise ConfigError(
            f'pod identity provider "{provider}" is not supported for Azure Storage Blobs '
            "(supported: none, azure-workload)"
        )


def names_in(page: bytes) -> tuple[list[str], str]:
    """Return the names of a page of a listing and the marker of the next page."""
    tree = ElementTree.fromstring(page)
    names = [each.findtext("Name", "") for each in tree.iterfind("Blobs/Blob")]
    return names, tree.findtext("NextMarker") or ""


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("azure blob"):
        with parsing("azure blob"):
            settings = read_params(Settings, config)
        _check(settings, config)
    storage = Storage(config, account_of(config, settings.connection, settings.account, "blob"))
    container, pattern = quote(settings.container, safe=""), settings.pattern()

    async def fetch() -> float:
        asked, count, marker = settings.listing(), 0, ""
        while True:
            page = await storage.get(container, {**asked, **({"marker": marker} if marker else {})})
            names, marker = names_in(page.body)
            count += sum(pattern is None or bool(pattern.fullmatch(name)) for name in names)
            if not marker:
                return count

    return polled(
        config,
        f"azure-blob-{settings.container}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=storage.close,
        doing="error listing blobs",
        secrets=storage.secrets,
    )
