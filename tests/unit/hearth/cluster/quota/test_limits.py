"""LimitRanges: defaults and bounds, in Kubernetes' words."""

from typing import Any

import pytest

from hearth.cluster.quota.limits import ANNOTATION, problems, set_defaults


def a_range(kind: str = "Container", **item: Any) -> Any:
    return {"metadata": {"name": "l"}, "spec": {"limits": [{"type": kind, **item}]}}


def container(name: str = "c", requests: Any = None, limits: Any = None) -> Any:
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}}


def pod(*containers: Any, **spec: Any) -> Any:
    return {"metadata": {}, "spec": {"containers": list(containers), **spec}}


def test_containers_get_what_they_do_not_say() -> None:
    one = pod(container(limits={"cpu": "1"}), initContainers=[{"name": "i"}])
    limits = {"cpu": "2", "memory": "1Gi"}
    set_defaults(one, a_range(default=limits, defaultRequest={"cpu": "1"}))
    assert one["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "1"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert one["spec"]["initContainers"][0]["resources"]["limits"] == limits
    assert one["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu request for container c; memory limit for container c; "
        "cpu request for init container i; cpu, memory limit for init container i"
    )


def test_a_pod_that_says_all_is_left_alone() -> None:
    one = pod(container(limits={"cpu": "1"}))
    set_defaults(one, a_range(default={"cpu": "2"}))
    set_defaults(one, a_range("Pod", max={"cpu": "2"}))
    assert one == pod(container(limits={"cpu": "1"}))


LEAST: Any = {"min": {"cpu": "1"}}
MOST: Any = {"max": {"cpu": "1"}}
RATIO: Any = {"maxLimitRequestRatio": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("item", "request_", "limit", "message"),
    [
        (LEAST, "", "", "minimum cpu usage per Container is 1.  No request is specified"),
        (LEAST, "500m", "", "minimum cpu usage per Container is 1, but request is 500m"),
        (LEAST, "1", "500m", "minimum cpu usage per Container is 1, but limit is 500m"),
        (LEAST, "1", "", ""),
        (MOST, "", "", "maximum cpu usage per Container is 1.  No limit is specified"),
        (MOST, "", "2", "maximum cpu usage per Container is 1, but limit is 2"),
        (MOST, "2", "1", "maximum cpu usage per Container is 1, but request is 2"),
        (MOST, "", "1", ""),
        (RATIO, "", "", "but no request is specified or request is 0"),
        (RATIO, "1", "", "but no limit is specified or limit is 0"),
        (RATIO, "1", "3", "but provided ratio is 3.000000"),
        (RATIO, "1", "2", ""),
    ],
)
def test_containers_have_bounds(item: Any, request_: str, limit: str, message: str) -> None:
    if item is RATIO and message:
        message = f"cpu max limit to request ratio per Container is 2, {message}"
    requests, limits = ({"cpu": each} if each else {} for each in (request_, limit))
    assert problems("pods", pod(container("c", requests, limits)), a_range(**item)) == message


def test_the_same_problem_is_told_once_and_several_together() -> None:
    one = pod(container(), container("d"), initContainers=[container("i", limits={"cpu": "3"})])
    assert problems("pods", one, a_range(max={"cpu": "1"})) == (
        "[maximum cpu usage per Container is 1.  No limit is specified, "
        "maximum cpu usage per Container is 1, but limit is 3]"
    )


def test_pods_have_bounds_of_their_own() -> None:
    one = pod(container(limits={"cpu": "1"}), container(limits={"cpu": "1"}))
    assert problems("pods", one, a_range("Pod", max={"cpu": "1500m"})) == (
        "maximum cpu usage per Pod is 1500m, but limit is 2"
    )
    assert problems("pods", one, a_range("PersistentVolumeClaim", max={"storage": "1"})) == ""


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"max": {"storage": "1Gi"}}, "maximum storage usage per {} is 1Gi, but request is 2Gi"),
        ({"max": {"x": "1"}}, "maximum x usage per {} is 1.  No request is specified"),
        ({"min": {"storage": "3Gi"}}, "minimum storage usage per {} is 3Gi, but request is 2Gi"),
        ({"min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}, ""),
    ],
)
def test_claims_have_bounds(item: Any, message: str) -> None:
    claim = {"metadata": {}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    found = problems("persistentvolumeclaims", claim, a_range("PersistentVolumeClaim", **item))
    assert found == message.format("PersistentVolumeClaim")
