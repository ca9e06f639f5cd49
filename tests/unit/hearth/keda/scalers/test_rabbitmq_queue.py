"""What a queue of RabbitMQ is in numbers, alone and with others."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.rabbitmq_queue import Queue, composed, queue_of, reading
from hearth.keda.scalers.seam import Reading


def test_a_queue_as_the_management_api_tells_it():
    said = {
        "messages": 5,
        "messages_ready": 3,
        "message_stats": {"publish_details": {"rate": 1.5}, "deliver_get_details": {"rate": 2.5}},
    }
    assert queue_of(said) == Queue(5, 3, 1.5, 2.5)
    assert queue_of({"name": "new"}) == Queue()


def test_several_as_one():
    queues = [Queue(5, 3, 1.0, 4.0), Queue(2, 2, 2.0, 1.0)]
    assert composed(queues, "sum") == Queue(7, 5, 3.0, 5.0)
    assert composed(queues, "avg") == Queue(3, 2, 1.5, 2.5)
    assert composed(queues, "max") == Queue(5, 3, 2.0, 4.0)
    assert composed([], "sum") == Queue()


@pytest.mark.parametrize(
    ("mode", "queue", "activation", "value", "active"),
    [
        ("QueueLength", Queue(5), 4, 5, True),
        ("QueueLength", Queue(5), 5, 5, False),
        ("MessageRate", Queue(5, 5, 0.5), 1, 0.5, True),
        ("MessageRate", Queue(0, 0, 0.5), 1, 0.5, False),
        ("DeliverGetRate", Queue(5, 5, 9, 2), 1, 2, True),
        ("PublishedToDeliveredRatio", Queue(0, 0, 3, 2), 1, 1.5, True),
        ("PublishedToDeliveredRatio", Queue(0, 0, 3, 0), 7, 7, True),
        ("PublishedToDeliveredRatio", Queue(0, 0, 0, 3), 0, 0, False),
        ("ExpectedQueueConsumptionTime", Queue(10, 10, 3, 2), 1, 5.5, True),
        ("ExpectedQueueConsumptionTime", Queue(10, 10, 3, 0), 4, 4, True),
        ("ExpectedQueueConsumptionTime", Queue(0, 0, 3, 0), 4, 0, False),
        ("ExpectedQueueConsumptionTime", Queue(1, 1, 0, 10), 0, 0, False),
    ],
)
def test_what_a_mode_makes_of_it(mode, queue, activation, value, active):
    assert reading(queue, mode, activation) == Reading(value, active)
