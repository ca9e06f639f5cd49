"""Where traces go and how many of them, as ``config-observability`` says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

NONE, GRPC, HTTP, STDOUT = "none", "grpc", "http/protobuf", "stdout"
PROTOCOLS = (GRPC, HTTP, NONE, STDOUT)

_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """How traces are exported; the rate is a share of traces, 0 to 1."""

    protocol: str = NONE
    endpoint: str = ""
    sampling_rate: float = 0.0

    @property
    def rate(self) -> float:
        """What counts: all is shown where it is shown to somebody who looks for a fault."""
        if self.protocol == NONE:
            return 0.0
        return 1.0 if self.protocol == STDOUT else self.sampling_rate

    @property
    def url(self) -> str:
        """The endpoint as OpenTelemetry's Go exporters read it.

        Without a scheme it is https; without a path the collector's own is meant.
        """
        return url_of(self.endpoint, _PATH if self.protocol == HTTP else "")


def url_of(endpoint: str, path: str) -> str:
    """Return where to send: https without a scheme, and ``path`` without a path."""
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    return url if urlsplit(url).path else url + path
