"""What is wrong with a TriggerAuthentication or CloudEventSource, in KEDA's words. Pure.

Sources: ``triggerauthentication_webhook.go``, ``cloudeventsource_webhook.go``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hearth.keda.api import keys
from hearth.keda.api.checks import CheckError
from hearth.keda.api.cloudeventsource import CloudEventSource
from hearth.keda.api.secretstores import PodIdentity
from hearth.keda.api.triggerauthentication import OAuth2, TriggerAuthentication

_SUBSCRIBABLE = tuple(each for each in keys.EVENT_TYPES if ".authentication." not in each)


def check_authentication(obj: TriggerAuthentication) -> None:
    """Identity and OAuth2 fit together; as in KEDA, OAuth2 is not looked at beside some clouds."""
    identity = obj.spec.pod_identity
    if identity is not None:
        checks = {"azure-workload": _check_azure, "aws": _check_aws}
        if identity.provider not in checks:
            return
        checks[identity.provider](identity)
    if obj.spec.oauth2 is not None:
        _check_oauth2(obj.spec.oauth2)


def _check_azure(identity: PodIdentity) -> None:
    if identity.identity_id == "":
        raise CheckError(
            "identityId of PodIdentity should not be empty. If it's set, identityId has to be "
            'different than ""'
        )
    if identity.identity_authority_host:
        if not identity.identity_tenant_id:
            raise CheckError(
                "identityTenantID of PodIdentity should not be nil or empty when "
                "identityAuthorityHost of PodIdentity is set"
            )
    elif identity.identity_tenant_id == "":
        raise CheckError(
            "identityTenantId of PodIdentity should not be empty. If it's set, identityTenantId "
            'has to be different than ""'
        )


def _check_aws(identity: PodIdentity) -> None:
    if identity.role_arn and identity.identity_owner == "workload":
        raise CheckError("roleArn of PodIdentity can't be set if KEDA isn't identityOwner")
    if identity.external_id and not identity.role_arn:
        raise CheckError("externalID of PodIdentity requires roleArn to be set")


def _check_oauth2(oauth2: OAuth2) -> None:
    if oauth2.type != "clientCredentials":
        raise CheckError(f"oauth2.type must be 'clientCredentials', got '{oauth2.type}'")
    if not oauth2.client_id:
        raise CheckError("oauth2.clientId is required when oauth2 is configured")
    if not oauth2.token_url:
        raise CheckError("oauth2.tokenUrl is required when oauth2 is configured")
    if not _is_http(oauth2.token_url):
        raise CheckError("oauth2.tokenUrl must be a valid http or https URL")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def check_source(obj: CloudEventSource) -> None:
    """Events are included or excluded, not both, and are such as can be subscribed to."""
    asked = obj.spec.event_subscription
    if asked.excluded_event_types and asked.included_event_types:
        raise CheckError(
            "setting included types and excluded types at the same time is not supported"
        )
    for how in ("excluded", "included"):
        for each in getattr(asked, f"{how}_event_types"):
            if each not in _SUBSCRIBABLE:
                raise CheckError(
                    f"{how}EventType: {each} in cloudeventsource/clustercloudeventsource spec is "
                    "not supported"
                )
