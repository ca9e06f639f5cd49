from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.cluster.node.pod.spec import PodSpec, parse_pod

Object = dict[str, Any]


def pod_object(
    *containers: Object, inits: tuple[Object, ...] = (), name: str = "web", **spec: Any
) -> Object:
    def named(c: Object, index: int, prefix: str) -> Object:
        return {"name": f"{prefix}{index}", "image": "app"} | c

    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {
            "containers": [named(c, i, "c") for i, c in enumerate(containers or ({},))],
            "initContainers": [named(c, i, "i") for i, c in enumerate(inits)],
            **spec,
        },
    }


@pytest.fixture
def a_pod() -> Callable[..., Object]:
    return pod_object


@pytest.fixture
def a_spec() -> Callable[..., PodSpec]:
    return lambda *args, **kwargs: parse_pod(pod_object(*args, **kwargs))
