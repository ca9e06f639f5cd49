from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.oci.challenges import Challenge, parse_challenge
from hearth.oci.credentials import (
    HUB_KEY,
    Login,
    logins_for,
    parse_docker_config,
    parse_helper_answer,
    parse_pull_secret,
)
from hearth.oci.references import parse_reference


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


ME = Login("me", "a:b")


def known(key: str) -> tuple[tuple[str, Login], ...]:
    return parse_docker_config(json.dumps({"auths": {key: auth("me", "a:b")}})).logins


@pytest.mark.parametrize(
    ("key", "image"),
    [
        (HUB_KEY, "nginx"),
        ("docker.io", "me/app"),
        ("index.docker.io", "nginx"),
        ("ghcr.io", "ghcr.io/me/app"),
        ("https://ghcr.io", "ghcr.io/me/app"),
        ("https://ghcr.io/v2/", "ghcr.io/me/app"),
        ("ghcr.io/me", "ghcr.io/me/app"),
        ("*.example.com", "a.example.com/app"),
        ("localhost:5000", "localhost:5000/app"),
    ],
)
def test_a_key_fits(key: str, image: str) -> None:
    assert logins_for(parse_reference(image), known(key)) == [ME]


@pytest.mark.parametrize(
    ("key", "image"),
    [
        (HUB_KEY, "ghcr.io/me/app"),
        ("ghcr.io/you", "ghcr.io/me/app"),
        ("*.example.com", "a.b.example.com/app"),
        ("*.example.com", "example.com/app"),
        ("localhost:5000", "localhost:5001/app"),
        ("docker.io/you", "me/app"),
    ],
)
def test_a_key_of_others(key: str, image: str) -> None:
    assert logins_for(parse_reference(image), known(key)) == []


def test_the_longest_key_comes_first() -> None:
    entries = [
        ("a.io", Login("1", "x")),
        ("a.io/b/c", Login("3", "x")),
        ("a.io/b", Login("2", "x")),
    ]
    found = logins_for(parse_reference("a.io/b/c:1"), [*entries, *entries])
    assert [login.username for login in found] == ["3", "2", "1"]


def test_a_password_is_in_no_text() -> None:
    assert "a:b" not in repr(ME)


def test_pull_secrets_of_both_types() -> None:
    entries = {"a.io": {"username": "me", "password": "a:b"}}
    new = {".dockerconfigjson": json.dumps({"auths": entries}).encode()}
    old = {".dockercfg": json.dumps(entries).encode()}
    assert parse_pull_secret(new) == parse_pull_secret(old) == (("a.io", ME),)
    assert parse_pull_secret({"other": b"x"}) == ()


def test_which_helper_is_asked() -> None:
    config = parse_docker_config('{"credHelpers":{"gcr.io":"gcloud"},"credsStore":"pass"}')
    assert config.helper_for(parse_reference("gcr.io/a/b")) == ("gcloud", "gcr.io")
    assert config.helper_for(parse_reference("nginx")) == ("pass", HUB_KEY)
    assert parse_docker_config("{}").helper_for(parse_reference("nginx")) is None


def test_what_a_helper_answers() -> None:
    assert parse_helper_answer('{"Username":"me","Secret":"a:b"}') == ME
    assert parse_helper_answer('{"Username":"<token>","Secret":"t"}') == Login("", "t")
    assert parse_helper_answer("credentials not found in native keychain") is None


def test_an_identity_token_is_a_login_without_user() -> None:
    config = '{"auths":{"a.io":{"auth":"bWU6","identitytoken":"t"}}}'
    assert parse_docker_config(config).logins == (("a.io", Login("", "t")),)


values: Any = st.recursive(
    st.none() | st.text(max_size=4) | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["auths", "auth", "a", "credHelpers"]), inner),
)


@given(values | st.binary(max_size=20))
def test_a_broken_config_is_an_empty_one(data: Any) -> None:
    text = data if isinstance(data, bytes) else json.dumps(data)
    config = parse_docker_config(text)
    assert all(login.username for _, login in config.logins)
    assert parse_helper_answer(text) is None


def test_challenges() -> None:
    header = 'Bearer realm="https://a.io/token?x=1,2",service="a.io",scope="repository:b:pull"'
    found = parse_challenge(header)
    assert found == Challenge(
        "bearer",
        {"realm": "https://a.io/token?x=1,2", "service": "a.io", "scope": "repository:b:pull"},
    )
    assert parse_challenge("Basic realm=plain") == Challenge("basic", {"realm": "plain"})
    assert parse_challenge("") is None


@given(st.text(max_size=60))
def test_any_challenge_is_read(header: str) -> None:
    found = parse_challenge(header)
    assert found is None or found.scheme == found.scheme.lower()
