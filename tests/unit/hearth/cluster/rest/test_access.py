from __future__ import annotations

import pytest

from hearth.cluster.codec.paths import Target
from hearth.cluster.model.status import ApiStatus
from hearth.cluster.model.user import ANONYMOUS, READERS, User
from hearth.cluster.rest.access import check_access, check_path_access
from hearth.cluster.rest.requests import Request


def a_request(user: User) -> Request:
    return Request("GET", "/apis", "", {}, b"", user)


def test_whoever_has_a_token_may_do_everything() -> None:
    user = User("anybody")
    check_access(user, Target("", "v1", "secrets", "ns", "s"), "delete")
    check_path_access(user, a_request(user))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            Target("apps", "v1", "deployments", "ns", "d", "scale"),
            'deployments.apps "d" is forbidden: User "system:anonymous" cannot get resource '
            '"deployments/scale" in API group "apps" in the namespace "ns"',
        ),
        (
            Target("", "v1", "nodes"),
            'nodes is forbidden: User "system:anonymous" cannot get resource "nodes" in API group '
            '"" at the cluster scope',
        ),
    ],
)
def test_nobody_else_may_do_anything(target: Target, message: str) -> None:
    with pytest.raises(ApiStatus) as refusal:
        check_access(ANONYMOUS, target, "get")
    assert (refusal.value.code, refusal.value.message) == (403, message)


def test_paths_without_resources_are_closed_too() -> None:
    with pytest.raises(ApiStatus) as refusal:
        check_path_access(ANONYMOUS, a_request(ANONYMOUS))
    assert refusal.value.message == 'forbidden: User "system:anonymous" cannot get path "/apis"'


READER = User("system:hearth:reader", groups=(READERS,))


@pytest.mark.parametrize(
    ("group", "plural", "subresource", "verb", "may"),
    [
        ("", "pods", "", "watch", True),
        ("", "pods", "log", "get", True),
        ("apps", "deployments", "scale", "get", True),
        ("", "pods", "exec", "get", False),
        ("", "pods", "portforward", "get", False),
        ("", "services", "proxy", "get", False),
        ("", "secrets", "", "list", False),
        ("", "serviceaccounts", "token", "create", False),
        ("apps", "deployments", "", "patch", False),
        ("", "pods", "", "deletecollection", False),
    ],
)
def test_readers_look_and_change_nothing(
    group: str, plural: str, subresource: str, verb: str, may: bool
) -> None:
    target = Target(group, "v1", plural, "ns", "x", subresource)
    if may:
        check_access(READER, target, verb)
        return
    with pytest.raises(ApiStatus) as refusal:
        check_access(READER, target, verb)
    assert refusal.value.code == 403


def test_readers_post_to_no_path() -> None:
    check_path_access(READER, a_request(READER))
    with pytest.raises(ApiStatus):
        check_path_access(READER, Request("POST", "/apis/x", "", {}, b"", READER))
