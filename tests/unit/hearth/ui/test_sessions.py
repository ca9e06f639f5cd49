"""Codes and cookies: good once, for a while, for one Hearth, for one role."""

from __future__ import annotations

import pytest

from hearth.ui.sessions import CODE_SECONDS, SESSION_SECONDS, Role, Sessions

NOW = 1_800_000_000.0


def cookie_of(sessions: Sessions, role: Role = Role.WRITER) -> str:
    begun = sessions.session(sessions.code(role, nonce="n", now=NOW), nonce="m", now=NOW)
    assert begun is not None
    assert begun[0] is role
    return begun[1]


@pytest.mark.parametrize("role", list(Role))
def test_a_code_becomes_a_session_of_its_role(role: Role) -> None:
    sessions = Sessions("secret")
    assert sessions.role(cookie_of(sessions, role), now=NOW + 60) is role


def test_a_code_is_good_once() -> None:
    sessions = Sessions("secret")
    code = sessions.code(Role.WRITER, nonce="n", now=NOW)
    assert sessions.session(code, nonce="m", now=NOW) is not None
    assert sessions.session(code, nonce="m", now=NOW + CODE_SECONDS - 1) is None


def test_codes_and_sessions_end() -> None:
    sessions = Sessions("secret")
    code, cookie = sessions.code(Role.WRITER, nonce="n", now=NOW), cookie_of(sessions)
    assert sessions.session(code, nonce="m", now=NOW + CODE_SECONDS + 1) is None
    assert sessions.role(cookie, now=NOW + SESSION_SECONDS + 1) is None


def test_a_session_lasts_beyond_the_process() -> None:
    assert Sessions("secret").role(cookie_of(Sessions("secret")), now=NOW) is Role.WRITER
    assert Sessions("other").role(cookie_of(Sessions("secret")), now=NOW) is None
    assert Sessions("other").cookie != Sessions("secret").cookie


def test_a_role_cannot_be_written_into_a_cookie_nor_a_code_be_one() -> None:
    sessions = Sessions("secret")
    cookie = cookie_of(sessions, Role.READER)
    assert sessions.role(cookie.replace("reader", "writer"), now=NOW) is None
    assert sessions.role(sessions.code(Role.WRITER, nonce="n", now=NOW), now=NOW) is None
    assert sessions.session(cookie, nonce="m", now=NOW) is None


@pytest.mark.parametrize(
    "text", ["", ".", "a.b.c.d.e", "session.writer.9999999999.n.", "\u00e9.\u00e9"]
)
def test_what_is_none_is_nobody(text: str) -> None:
    assert Sessions("secret").role(text, now=NOW) is None
