"""What one pod of a revision should take: annotations over config-autoscaler. Pure.

The one source for the autoscaler, which makes pods by it, and for the activator, which spreads a
cold burst over them.
"""

from __future__ import annotations

from collections.abc import Mapping

from serving.api import keys
from serving.api.annotations import READ_TARGET, READ_TARGET_UTILIZATION, stored
from serving.api.config.autoscaler import AutoscalerConfig


def metric_target(
    annotations: Mapping[str, str],
    *,
    metric: str,
    limit: float,
    config: AutoscalerConfig,
) -> tuple[float, float]:
    """The metric per pod: what to aim at, and what is possible (requests, or requests/s).

    ``limit`` is the containerConcurrency, 0 for none.
    """
    if metric == keys.METRIC_RPS:
        total, utilization = config.rps_target_default, config.target_utilization
    else:
        total = limit or config.container_concurrency_target_default
        utilization = config.container_concurrency_target_fraction
    asked = stored(annotations, keys.TARGET, READ_TARGET, default=0.0)
    if asked:
        total = asked
        if metric == keys.METRIC_CONCURRENCY and limit:
            total = min(asked, limit)
    percent = stored(
        annotations, keys.TARGET_UTILIZATION, READ_TARGET_UTILIZATION, default=utilization * 100
    )
    return max(keys.TARGET_MIN, total * percent / 100), total
