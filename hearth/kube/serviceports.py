"""Which port of a pod stands behind a port of a Service. Pure.

What an EndpointSlice says of a port can be told from the Service and the pod alone; so the one who
writes slices and the one who watches pods themselves go by the same rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.views import Pod

PORTS_ANNOTATION = "hearth.dev/ports"
"""On a pod that shares its address with others, as processes of one machine do: a JSON object of
declared container ports and the real ones behind them. A pod without it has the ports it declares,
which is every pod of another cluster."""


def port_behind(port: Mapping[str, Any], pod: Object) -> int | None:
    """Return where to connect to; None when the pod lacks the named port."""
    number = declared_behind(port, pod)
    return None if number is None else _actual_ports(pod).get(str(number), number)


def declared_behind(port: Mapping[str, Any], pod: Object) -> int | None:
    """Return the port as containers know it; None when the pod lacks the named port."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target or int(port["port"])
    for container in Pod(pod).containers:
        for declared in container.get("ports") or ():
            same_protocol = declared.get("protocol", "TCP") == port.get("protocol", "TCP")
            if declared.get("name") == target and same_protocol:
                return int(declared["containerPort"])
    return None


def _actual_ports(pod: Object) -> Mapping[str, int]:
    text = meta.annotations(pod).get(PORTS_ANNOTATION)
    if text is None:
        return {}
    try:
        ports = json.loads(text)
    except ValueError:
        return {}
    return ports if isinstance(ports, dict) else {}
