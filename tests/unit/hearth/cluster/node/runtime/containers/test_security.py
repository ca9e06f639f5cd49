from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.cluster.node.pod.environment import ConfigError
from hearth.cluster.node.runtime.containers.security import Security, security_of

Object = dict[str, Any]
APod = Callable[..., Object]


@pytest.mark.parametrize(
    ("shared", "own", "image_user", "user"),
    [
        pytest.param({}, {}, "", "", id="root"),
        pytest.param({}, {}, "app:web", "app:web", id="the image's"),
        pytest.param({"runAsUser": 7}, {}, "app:web", "7", id="the pod's"),
        pytest.param({"runAsUser": 7}, {"runAsUser": 0}, "app", "0", id="the container's first"),
        pytest.param({"runAsUser": 7, "runAsGroup": 8}, {}, "app:web", "7:8", id="both"),
        pytest.param({"runAsGroup": 8}, {}, "app:web", "app:8", id="the group alone"),
        pytest.param({"runAsGroup": 8}, {}, "", "0:8", id="the group of root"),
    ],
)
def test_users(a_pod: APod, shared: Object, own: Object, image_user: str, user: str) -> None:
    pod = a_pod(securityContext=shared)
    made = security_of(pod, {"name": "c", "securityContext": own}, image_user, may_all=False)
    assert made.user == user


def test_all_of_it(a_pod: APod) -> None:
    pod = a_pod(securityContext={"supplementalGroups": [5, 6], "fsGroup": 6})
    own = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"add": ["CAP_NET_RAW", "sys_time"], "drop": ["ALL"]},
        "seccompProfile": {"type": "Unconfined"},
    }
    made = security_of(pod, {"name": "c", "securityContext": own}, "1", may_all=False)
    assert made == Security(
        user="1",
        groups=(5, 6),
        add_capabilities=("NET_RAW", "SYS_TIME"),
        drop_capabilities=("ALL",),
        no_new_privileges=True,
        read_only_root=True,
        unconfined=True,
    )


@pytest.mark.parametrize(
    ("own", "image_user", "message"),
    [
        ({}, "", "container has runAsNonRoot and image will run as root"),
        ({}, "0:5", "container has runAsNonRoot and image will run as root"),
        ({}, "00", "container has runAsNonRoot and image will run as root"),
        ({}, "app", r"image has non-numeric user \(app\), cannot verify user is non-root"),
        ({"runAsUser": 0}, "7", "container's runAsUser breaks non-root policy"),
    ],
)
def test_who_must_not_be_root(a_pod: APod, own: Object, image_user: str, message: str) -> None:
    pod = a_pod(securityContext={"runAsNonRoot": True})
    container = {"name": "c", "securityContext": own}
    with pytest.raises(ConfigError, match=message):
        security_of(pod, container, image_user, may_all=False)
    assert security_of(pod, container | {"securityContext": {"runAsUser": 3}}, "", may_all=False)


@pytest.mark.parametrize(
    ("spec", "own"),
    [({"hostPID": True}, {}), ({"hostNetwork": True}, {}), ({}, {"privileged": True})],
)
def test_what_would_be_the_machines(a_pod: APod, spec: Object, own: Object) -> None:
    container = {"name": "c", "securityContext": own}
    with pytest.raises(ConfigError, match="is refused"):
        security_of(a_pod(**spec), container, "", may_all=False)
    assert security_of(a_pod(**spec), container, "", may_all=True).privileged is bool(own)
