"""``gcp-storage``: objects of a bucket, up to a limit.

Sources: KEDA's ``gcp_storage_scaler.go``; ``objects.list`` of Cloud Storage's JSON API.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from hearth.keda.scalers.gcp_identity import Common, GoogleIdentity
from hearth.keda.scalers.http import answer, client
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig
from hearth.kube.clock import Clock, wall_clock

_API = "https://storage.googleapis.com/storage/v1/b"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Settings(Common):
    """Parameters of the trigger."""

    bucket: str = param("bucketName")
    target: int = param("targetObjectCount", default="100")
    activation: int = param("activationTargetObjectCount", default="0")
    most: int = param("maxBucketItemsToScan", default="1000")
    delimiter: str = param("blobDelimiter", optional=True)
    prefix: str = param("blobPrefix", optional=True)

    def check(self) -> None:
        """Refuse numbers that are not positive."""
        numbers = {"targetObjectCount": self.target, "maxBucketItemsToScan": self.most}
        for name, value in numbers.items():
            if value <= 0:
                raise ConfigError(f"{name} must be a positive number")
        if self.activation < 0:
            raise ConfigError("activationTargetObjectCount must be a positive number")

    def listing(self) -> dict[str, str]:
        """Return the query of a listing."""
        said = {"delimiter": self.delimiter, "prefix": self.prefix}
        fields = {"fields": "items(size),nextPageToken", "maxResults": str(_PAGE)}
        return fields | {key: value for key, value in said.items() if value}


def make(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("GCP storage"):
        with parsing("gcs"):
            settings = read_params(Settings, config)
        identity = GoogleIdentity(config, _SCOPE, clock)
    http = client(config)
    url = f"{_API}/{quote(settings.bucket, safe='')}/o"

    async def fetch() -> float:
        asked, count = settings.listing(), 0
        while count < settings.most:
            headers = await identity.headers(http)
            page = await answer(http, url, params=asked, headers=headers, ok=(200, 404))
            if page.status == 404:
                return 0  # no such bucket, as KEDA has it
            found = page.json()
            count += sum(number(each["size"]) > 0 for each in found.get("items", ()))
            if not found.get("nextPageToken"):
                break
            asked["pageToken"] = found["nextPageToken"]
        return min(count, settings.most)

    return polled(
        config,
        f"gcp-storage-{settings.bucket}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="failed to enumerate items in bucket",
        secrets=identity.secrets,
    )
