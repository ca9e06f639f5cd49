"""What every scaler that is asked does: checks, compares, tells failures, keeps secrets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from hearth.keda.scalers.polled import (
    Kept,
    checked,
    metric_type,
    number,
    parsing,
    password_in,
    polled,
    redacted,
    secrets_of,
)
from hearth.keda.scalers.seam import (
    ConfigError,
    MetricType,
    Reading,
    ScalerError,
    TriggerConfig,
)

CONFIG = TriggerConfig("queue", {}, index=2, timeout=0.05)


def scaler(fetch, **more):
    how = {"target": 5, "activation": 3, "doing": "error inspecting queue", **more}
    return polled(CONFIG, "queue-a/b.c", fetch=fetch, **how)


def giving(value):
    async def fetch() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return fetch


def test_the_metric_is_named_by_the_index_of_the_trigger():
    made = scaler(giving(0.0))
    assert (made.spec.name, made.spec.target) == ("s2-queue-a-b-c", 5)
    assert made.spec.type is MetricType.AVERAGE_VALUE


def test_utilization_is_refused_in_kedas_words():
    with pytest.raises(ConfigError, match="'Utilization' metric type is unsupported"):
        metric_type(TriggerConfig("queue", {}, metric_type=MetricType.UTILIZATION))


@pytest.mark.parametrize(
    ("given", "reading"),
    [
        (3.0, Reading(3.0, False)),
        (3.5, Reading(3.5, True)),
        (Reading(1.0, True), Reading(1.0, True)),
        (Reading(4.0, False), Reading(4.0, False)),
    ],
)
async def test_what_is_above_the_activation_is_active_unless_the_scaler_says_else(given, reading):
    assert await scaler(giving(given)).read() == reading


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
async def test_what_no_replicas_can_be_counted_by_is_a_failure(value):
    with pytest.raises(ScalerError, match="error inspecting queue: the value read is"):
        await scaler(giving(value)).read()


async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_configured():
    with pytest.raises(ScalerError, match=r"error inspecting queue: no answer within 0\.05 s"):
        await scaler(asyncio.Event().wait).read()


async def test_a_failure_says_what_kind_it_is_and_shows_no_secret():
    failing = giving(ConnectionError("no route to amqp://me:hunter2@host"))
    with pytest.raises(ScalerError) as failure:
        await scaler(failing, secrets=("hunter2",)).read()
    assert str(failure.value) == (
        "error inspecting queue: ConnectionError: no route to amqp://me:***@host"
    )


def test_secrets_are_those_of_the_trigger_wherever_they_stand():
    config = TriggerConfig(
        "queue",
        {"host": "here", "passwordFromEnv": "PASSWORD", "apiKey": "key-a", "watchKey": "jobs"},
        auth={"username": "me", "connectionString": "all-of-it"},
        env={"PASSWORD": "word", "OTHER": "thing"},
    )
    assert set(secrets_of(config)) >= {"word", "key-a", "all-of-it"}
    assert not set(secrets_of(config)) & {"here", "me", "thing", "jobs"}


@generated(st.text(), st.lists(st.text(min_size=3)), st.text())
def test_no_secret_is_left_in_a_message(before, secrets, after):
    shown = redacted(before + "".join(secrets) + after, secrets)
    assert len(shown) <= 500
    assert not any(secret in shown for secret in secrets if "*" not in secret)


@pytest.mark.parametrize(("said", "value"), [(3, 3.0), ("4.5", 4.5), (b"7", 7.0), (" 8 ", 8.0)])
def test_numbers_and_texts_of_numbers_are_read(said, value):
    assert number(said) == value


@pytest.mark.parametrize("said", [None, True, "many", [], {}, "x" * 1000])
def test_what_is_no_number_is_said_shortly(said):
    with pytest.raises(ScalerError, match="the value read is no number") as failure:
        number(said)
    assert len(str(failure.value)) < 120


def test_zero_is_a_value():
    assert checked(0) == 0.0


def test_a_fault_of_the_trigger_has_kedas_words_before_it():
    words = "error parsing A metadata: error parsing a metadata: no host given"
    with pytest.raises(ConfigError) as fault, parsing("A", "a"):
        raise ConfigError("no host given")
    assert str(fault.value) == words


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://me:a%2Fb@host/db", "a/b"),
        ("mongodb://host", ""),
        ("http://[broken", ""),
    ],
)
def test_the_password_of_a_url(url, password):
    assert password_in(url) == password


async def test_a_connection_is_opened_once_and_anew_after_a_failure():
    opened: list[int] = []
    dropped: list[int] = []

    async def connect() -> int:
        opened.append(len(opened))
        return opened[-1]

    async def fails(held: int) -> int:
        raise OSError(held)

    kept = Kept(connect, dropped.append)
    assert [await kept.ask(giving_held), await kept.ask(giving_held)] == [0, 0]
    with pytest.raises(OSError, match="0"):
        await kept.ask(fails)
    assert await kept.ask(giving_held) == 1
    await kept.close()
    await kept.close()
    assert dropped == [0, 1]


async def giving_held(held: int) -> int:
    return held


async def test_a_connection_that_was_closed_by_the_server_is_not_asked():
    opened: list[list[bool]] = []

    async def connect() -> list[bool]:
        opened.append([True])
        return opened[-1]

    async def ask(held: list[bool]) -> int:
        return len(opened)

    kept = Kept(connect, list.clear, lambda held: held[0])
    assert await kept.ask(ask) == 1
    opened[0][0] = False
    assert await kept.ask(ask) == 2


async def test_closing_never_raises():
    async def closing() -> None:
        raise OSError

    await scaler(giving(1.0), closing=closing).close()
