"""Whose networks and containers are whose."""

from __future__ import annotations

import hashlib

from hearth.cli.doctor.leftovers import left_containers, left_networks

ALIVE, DEAD = "a" * 16, "d" * 16


def bridge(node: str) -> str:
    return f"hearth-{hashlib.sha256(node.encode()).hexdigest()[:8]}"


def test_networks_of_no_living_node_are_left() -> None:
    found = [bridge(ALIVE), bridge(DEAD), "docker0", "nat"]
    assert left_networks(found, [ALIVE]) == [bridge(DEAD)]


def test_containers_are_counted_by_node_in_the_words_of_both_engines() -> None:
    docker = f"dev.hearth.node={DEAD},other=x\ndev.hearth.node={ALIVE}"
    podman = f"map[dev.hearth.node:{DEAD} io.kubernetes.pod.name:x]"
    assert left_containers(f"{docker}\n{podman}", [ALIVE]) == [f"2 of node {DEAD}"]
