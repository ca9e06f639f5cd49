"""What control tells adapters of traces: Knative's variable. Pure."""

from __future__ import annotations

import json

from hearth.observability.traces.config import TracingConfig

OBSERVABILITY_CONFIG = "K_OBSERVABILITY_CONFIG"


def told(tracing: TracingConfig) -> list[dict[str, str]]:
    """Return the variable for an adapter's pod; none where there is nothing to tell."""
    if tracing.rate <= 0:
        return []
    given = {
        "protocol": tracing.protocol,
        "endpoint": tracing.endpoint,
        "samplingRate": tracing.sampling_rate,
    }
    text = json.dumps({"tracing": given}, separators=(",", ":"))
    return [{"name": OBSERVABILITY_CONFIG, "value": text}]
