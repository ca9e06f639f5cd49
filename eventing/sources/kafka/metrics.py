"""What the adapter of a KafkaSource counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RECORDS = Counter(
    "hearth_kafkasource_records",
    "Records by outcome: sent, dead_letter, dropped (not taken, and there is no dead letter sink)",
    ["namespace", "name", "result"],
)
LAG = Gauge(
    "hearth_kafkasource_lag",
    "Records of a partition that are not done with",
    ["namespace", "name", "topic", "partition"],
)
