"""What AWS refuses, in words that say what to do."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.aws.faults import Asked, Fault, problem_of

QUEUE = Asked("the queue orders in eu-west-1", "keys", creates="autoCreateQueue")


class ClientError(Exception):
    operation_name = "ReceiveMessage"

    def __init__(self, code: str, message: str = "words") -> None:
        super().__init__(f"{code} when calling")
        self.response: Any = {"Error": {"Code": code, "Message": message}}


class NoCredentialsError(Exception):
    pass


@pytest.mark.parametrize(
    ("code", "fault", "says"),
    [
        ("InvalidClientTokenId", Fault.CREDENTIALS, "Secret keys, as aws.accessKey"),
        ("ExpiredToken", Fault.CREDENTIALS, "aws.sessionToken"),
        ("AccessDenied", Fault.RIGHTS, "ReceiveMessage on the queue orders in eu-west-1"),
        ("QueueDoesNotExist", Fault.ABSENT, "there is no queue orders in eu-west-1"),
        ("404", Fault.ABSENT, "or set autoCreateQueue: true"),
        ("InvalidMessageContents", Fault.CONTENT, "words"),
        ("SlowDown", Fault.BUSY, "SlowDown: words"),
        ("InternalError", Fault.OTHER, "InternalError: words"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, fault: Fault, says: str) -> None:
    problem = problem_of(ClientError(code), QUEUE)
    assert problem.fault is fault and says in problem.text
    definite = (Fault.CREDENTIALS, Fault.RIGHTS, Fault.ABSENT)
    assert problem.is_definite == (fault in definite)


def test_without_keys_it_says_where_they_come_from() -> None:
    problem = problem_of(NoCredentialsError("Unable to locate credentials"), QUEUE)
    assert problem.fault is Fault.CREDENTIALS and "the Secret keys" in problem.text
    of_account = problem_of(NoCredentialsError("none"), Asked("the queue q"))
    assert "service account" in of_account.text and "Secret" not in of_account.text


def test_what_is_no_refusal_may_work_the_next_time() -> None:
    problem = problem_of(OSError("connection refused"), QUEUE)
    assert problem.fault is Fault.OTHER and not problem.is_definite
    assert problem.text == "the queue orders in eu-west-1: connection refused"
    assert problem_of(TimeoutError(), QUEUE).text.endswith("TimeoutError")
