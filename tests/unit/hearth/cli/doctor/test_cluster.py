"""What versions, webhooks and certificates of a cluster are worth."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest

from hearth.cli.doctor.check import fail, ok
from hearth.cli.doctor.cluster import cluster_version, ends, together, webhook
from hearth.kube.certificates import new_authority

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
BUNDLE = new_authority("test", ["test"], NOW).chain


@pytest.mark.parametrize(
    ("minor", "state"), [("29", "fail"), ("30+", "ok"), ("36", "ok"), ("", "fail")]
)
def test_a_cluster_that_is_too_old_is_said(minor: str, state: str) -> None:
    assert cluster_version({"gitVersion": "v1", "minor": minor}).state == state


def test_a_bundle_is_told_of_before_it_ends() -> None:
    year = datetime.timedelta(days=365)
    assert ends(BUNDLE, NOW)[0] == "ok"
    assert ends(BUNDLE, NOW + 100 * year)[0] == "fail"
    assert ends(b"x", NOW) == ("fail", "its authority is no certificate")
    last = next(
        day
        for day in range(365 * 100)
        if ends(BUNDLE, NOW + datetime.timedelta(days=day))[0] != "ok"
    )
    assert ends(BUNDLE, NOW + datetime.timedelta(days=last))[0] == "warn"


def test_those_that_are_the_same_way_are_one_finding() -> None:
    bad = fail("webhooks", "no pod", "start one")
    good = ok("webhooks", "reachable")
    assert together([("a", bad), ("b", good), ("c", bad), ("d", good)]) == [
        fail("webhooks", "no pod: a, c", "start one"),
        good,
    ]


@pytest.mark.parametrize(
    ("bundle", "endpoints", "words"),
    [
        (BUNDLE, False, "no pod is ready"),
        (b"", True, "nobody is trusted yet"),
        (b"x", True, "no certificate"),
    ],
)
def test_a_webhook_that_cannot_be_asked_fails(bundle: bytes, endpoints: bool, words: str) -> None:
    each: dict[str, Any] = {"clientConfig": {"caBundle": base64.b64encode(bundle).decode()}}
    check = webhook(each, has_endpoints=endpoints)
    assert check.state == "fail"
    assert words in check.found
    assert check.advice
