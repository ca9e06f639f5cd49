"""What Kafka refuses, as exceptions."""

from __future__ import annotations

from confluent_kafka import KafkaError

from eventing.engines.seam import Unavailable

SPOILT = {
    KafkaError._MSG_TIMED_OUT,
    KafkaError._FATAL,
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
}
"""After these Kafka and an idempotent producer may not agree on what comes next."""
UNKNOWN_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
"""A topic is not there, says Kafka or its client."""
_TO_MEND = UNKNOWN_TOPIC | {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
}


class KafkaFault(Unavailable):
    """Kafka refused, or did not answer."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_to_mend(self) -> bool:
        """Whether it stays until somebody grants a right or makes a topic."""
        return self.code in _TO_MEND

    @property
    def is_unknown_topic(self) -> bool:
        """Whether there is no such topic."""
        return self.code in UNKNOWN_TOPIC


def fault_of(error: KafkaError, what: str) -> KafkaFault:
    """Return what Kafka said of something, as an exception."""
    return KafkaFault(f"{what}: {error.str()} ({error.name()})", error.code())
