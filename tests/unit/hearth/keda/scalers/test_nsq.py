"""What NSQ says of topics and channels."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.nsq import depth_in, hosts_in


def stats(*channels, depth=5):
    return {"topics": [{"topic_name": "t", "depth": depth, "channels": list(channels)}]}


def channel(name="c", depth=3, paused=False):
    return {"channel_name": name, "depth": depth, "paused": paused}


@pytest.mark.parametrize(
    ("found", "depth"),
    [
        (stats(channel()), 3),
        (stats(channel(paused=True)), 0),
        (stats(), 5),
        (stats(channel("other")), 5),
        ({"topics": []}, 0),
        ({"topics": [{"topic_name": "other", "depth": 9, "channels": []}]}, 0),
    ],
)
def test_the_depth_of_a_channel(found, depth):
    assert depth_in(found, "t", "c") == depth


def test_hosts():
    producers = [
        {"broadcast_address": "h", "http_port": 4151},
        {"broadcast_address": "::1", "http_port": 1},
    ]
    assert hosts_in({"producers": producers}) == ["h:4151", "[::1]:1"]
