"""KEDA's words for authentications and event sources that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.admission.authentication import check_authentication, check_source
from hearth.keda.api.checks import CheckError
from hearth.keda.api.cloudeventsource import CloudEventSource
from hearth.keda.api.triggerauthentication import TriggerAuthentication
from hearth.kube.models import decode


def authentication(**spec: Any) -> TriggerAuthentication:
    return decode(TriggerAuthentication, {"spec": spec}, root="TriggerAuthentication")


def azure(**members: str) -> dict[str, Any]:
    return {"podIdentity": {"provider": "azure-workload", **members}}


def aws(**members: str) -> dict[str, Any]:
    return {"podIdentity": {"provider": "aws", **members}}


def oauth(**members: str) -> dict[str, Any]:
    return {"oauth2": {"clientId": "me", "tokenUrl": "https://login/token", **members}}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            azure(identityId=""),
            "identityId of PodIdentity should not be empty. If it's set, identityId has to be "
            'different than ""',
        ),
        (
            azure(identityId="x", identityAuthorityHost="h"),
            "identityTenantID of PodIdentity should not be nil or empty when identityAuthorityHost "
            "of PodIdentity is set",
        ),
        (
            azure(identityId="x", identityTenantId=""),
            "identityTenantId of PodIdentity should not be empty. If it's set, identityTenantId "
            'has to be different than ""',
        ),
        (
            aws(roleArn="arn", identityOwner="workload"),
            "roleArn of PodIdentity can't be set if KEDA isn't identityOwner",
        ),
        (aws(externalID="x"), "externalID of PodIdentity requires roleArn to be set"),
        (
            oauth(type="password"),
            "oauth2.type must be 'clientCredentials', got 'password'",
        ),
        (oauth(clientId=""), "oauth2.clientId is required when oauth2 is configured"),
        (oauth(tokenUrl=""), "oauth2.tokenUrl is required when oauth2 is configured"),
        *(
            (oauth(tokenUrl=url), "oauth2.tokenUrl must be a valid http or https URL")
            for url in ("login/token", "ftp://login/token", "https:///token", "https://[")
        ),
        (aws() | oauth(clientId=""), "oauth2.clientId is required when oauth2 is configured"),
    ],
)
def test_what_is_wrong(spec: dict[str, Any], text: str) -> None:
    with pytest.raises(CheckError) as caught:
        check_authentication(authentication(**spec))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "spec",
    [
        {},
        azure(),
        azure(identityId="x", identityTenantId="t", identityAuthorityHost="h"),
        aws(roleArn="arn", identityOwner="keda", externalID="x"),
        oauth(),
        {"podIdentity": {"provider": "gcp"}} | oauth(clientId=""),  # KEDA looks no further
    ],
)
def test_what_is_right(spec: dict[str, Any]) -> None:
    obj = authentication(**spec)
    check_authentication(obj)
    assert obj.spec.oauth2 is None or obj.spec.oauth2.type == "clientCredentials"


def source(**subscription: list[str]) -> CloudEventSource:
    spec = {"destination": {}, "eventSubscription": subscription}
    return decode(CloudEventSource, {"spec": spec}, root="CloudEventSource")


READY, ADDED = (
    "keda.scaledobject.ready.v1",
    "keda.authentication.triggerauthentication.created.v1",
)


def test_events_are_included_or_excluded() -> None:
    check_source(source(includedEventTypes=[READY]))
    check_source(source(excludedEventTypes=[READY]))
    with pytest.raises(CheckError) as caught:
        check_source(source(includedEventTypes=[READY], excludedEventTypes=[READY]))
    assert str(caught.value) == (
        "setting included types and excluded types at the same time is not supported"
    )


@pytest.mark.parametrize("how", ["included", "excluded"])
def test_events_of_authentications_cannot_be_chosen(how: str) -> None:
    with pytest.raises(CheckError) as caught:
        check_source(source(**{f"{how}EventTypes": [READY, ADDED]}))
    assert str(caught.value) == (
        f"{how}EventType: {ADDED} in cloudeventsource/clustercloudeventsource spec is not supported"
    )
