"""What AWS refuses and why, in words that say what to do. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class AwsFault(ValueError):
    """What the user has to mend before anything can work; the text says what."""


class Fault(enum.Enum):
    """What kind of refusal it is."""

    CREDENTIALS = "credentials"
    RIGHTS = "rights"
    ABSENT = "absent"
    CONTENT = "content"
    """What was sent is refused, and would be again."""
    BUSY = "busy"
    OTHER = "other"
    """It may work the next time."""


_CODES: dict[Fault, frozenset[str]] = {
    Fault.CREDENTIALS: frozenset(
        {
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
        }
    ),
    Fault.RIGHTS: frozenset(
        {
            "403",
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
            "AuthorizationErrorException",
            "KMSAccessDeniedException",
            "KmsAccessDenied",
            "OptInRequired",
        }
    ),
    Fault.ABSENT: frozenset(
        {
            "404",
            "AWS.SimpleQueueService.NonExistentQueue",
            "NoSuchBucket",
            "NotFound",
            "NotFoundException",
            "QueueDoesNotExist",
            "ResourceNotFoundException",
        }
    ),
    Fault.CONTENT: frozenset(
        {
            "EntityTooLarge",
            "InvalidMessageContents",
            "InvalidParameter",
            "InvalidParameterException",
            "InvalidParameterValue",
            "InvalidParameterValueException",
            "KeyTooLongError",
            "MessageTooLong",
            "MetadataTooLarge",
        }
    ),
    Fault.BUSY: frozenset(
        {
            "OverLimit",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "SlowDown",
            "Throttled",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        }
    ),
}
_BY_CODE = {code: fault for fault, codes in _CODES.items() for code in codes}
_WITHOUT_KEYS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request failed."""

    fault: Fault
    text: str

    @property
    def is_definite(self) -> bool:
        """Whether the user has to do something about it."""
        return self.fault in (Fault.CREDENTIALS, Fault.RIGHTS, Fault.ABSENT)


@dataclass(frozen=True, slots=True)
class Asked:
    """What requests are about, for the words about their failure."""

    what: str
    """Such as ``the queue orders in eu-west-1``."""
    secret: str = ""
    """The Secret with the keys; without one they are the service account's."""
    creates: str = ""
    """The field that has it made where it is absent, if there is one."""


def problem_of(error: Exception, asked: Asked) -> Problem:
    """Return what an error of ``botocore`` means; of any other, that it may work the next time."""
    if type(error).__name__ in _WITHOUT_KEYS:
        return Problem(Fault.CREDENTIALS, f"{error}: {_keys(asked)}")
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return Problem(Fault.OTHER, f"{asked.what}: {_words(error)}")
    told = response.get("Error") or {}
    code, operation = str(told.get("Code", "")), str(getattr(error, "operation_name", ""))
    said = f"{code}: {told.get('Message', '')}".rstrip(": ")
    fault = _BY_CODE.get(code, Fault.OTHER)
    match fault:
        case Fault.CREDENTIALS:
            text = f"AWS does not accept the credentials ({said}): {_keys(asked)}"
        case Fault.RIGHTS:
            text = f"{operation} on {asked.what} is not allowed ({said}): allow it to whose "
            text += "credentials these are, and see that they are of the right account"
        case Fault.ABSENT:
            text = f"there is no {asked.what.removeprefix('the ')} ({said}): make it"
            text += f", or set {asked.creates}: true" if asked.creates else ""
        case _:
            text = f"{operation} on {asked.what}: {said or _words(error)}"
    return Problem(fault, text)


def _keys(asked: Asked) -> str:
    if asked.secret:
        return (
            f"put the keys of a user that AWS knows into the Secret {asked.secret}, as "
            "aws.accessKey and aws.secretKey (and aws.sessionToken where they are temporary)"
        )
    return "see that the service account has a role in AWS (IRSA, EKS Pod Identity)"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
