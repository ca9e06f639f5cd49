"""To whom volumes belong, by kubelet's rules."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.node.pod.owners import Owners, owners_of


def pod(context: dict[str, Any], *users: int | None) -> dict[str, Any]:
    containers = [{"securityContext": {} if u is None else {"runAsUser": u}} for u in users]
    return {"spec": {"securityContext": context, "containers": containers}}


@pytest.mark.parametrize(
    ("context", "users", "user"),
    [
        ({}, (None,), None),
        ({"runAsUser": 7}, (None, None), 7),
        ({"runAsUser": 7}, (None, 8), None),
        ({}, (8, 8), 8),
        ({}, (8, None), None),
        ({"runAsUser": 7}, (0, 0), 0),
    ],
)
def test_the_user_that_all_containers_are_told_to_run_as(
    context: dict[str, Any], users: tuple[int | None, ...], user: int | None
) -> None:
    assert owners_of(pod(context, *users)) == Owners(None, user)


def test_a_token_is_for_all_unless_the_pod_says_for_whom() -> None:
    assert Owners().token_mode(0o644) == 0o644
    assert Owners(user=7).token_mode(0o644) == 0o600
    group = owners_of(pod({"fsGroup": 3}, None))
    assert group.file_mode(group.token_mode(0o644)) == 0o640


def test_the_group_reads_files_and_has_folders() -> None:
    assert Owners(group=3).file_mode(0o400) == 0o440
    assert Owners(group=3).folder_mode(0o755) == 0o2755
    assert (Owners().file_mode(0o400), Owners().folder_mode(0o755)) == (0o400, 0o755)
