"""Topics of Pulsar, and how triggers of older days are read."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.pulsar import Settings, as_now, backlog_of
from hearth.keda.scalers.seam import ScalerError, TriggerConfig

SAID = {"adminURL": "http://p", "topic": "persistent://public/default/t", "subscription": "s"}


def settings(auth=None, **said):
    return read_params(Settings, as_now(TriggerConfig("pulsar", {**SAID, **said}, auth=auth or {})))


def test_where_statistics_are():
    assert settings().stats_url() == "http://p/admin/v2/persistent/public/default/t/stats"
    assert settings(isPartitionedTopic="true").stats_url().endswith("/t/partitioned-stats")


def test_tls_of_older_days():
    found = settings({"cert": "c", "key": "k"}, tls="enable")
    assert (found.modes, found.method()) == (["tls"], "tls")


def test_oauth_of_older_days():
    said = {"oauthTokenURI": "http://o", "clientID": "me", "scope": "a", "authModes": "oauth"}
    found = settings({"clientSecret": "x"}, **said)
    assert (found.oauth_token_uri, found.client_id, found.scopes) == ("http://o", "me", ["a"])


def test_the_backlog():
    assert backlog_of({"subscriptions": {"s": {"msgBacklog": 7}}}, "s") == 7
    with pytest.raises(ScalerError, match="have not subscription found! s"):
        backlog_of({"subscriptions": {}}, "s")
