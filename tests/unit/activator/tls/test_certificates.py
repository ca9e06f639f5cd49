from __future__ import annotations

import base64
from typing import Any

import pytest

from activator.tls.certificates import Certificates, InvalidCertificate, Problem, trimmed

SECRETS = dict[tuple[str, str], dict[str, Any]]


def a_secret(name: str = "s", crt: bytes = b"chain", key: bytes = b"key") -> dict[str, Any]:
    data = {"tls.crt": crt, "tls.key": key, "ca.crt": b"ca"}
    return {
        "metadata": {"namespace": "ns", "name": name, "resourceVersion": "1", "labels": {"a": "b"}},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
    }


def an_ingress(name: str, *entries: dict[str, Any], made: str = "1", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "creationTimestamp": made},
        "spec": {"tls": list(entries), **spec},
    }


def shows(secret: str, *hosts: str) -> dict[str, Any]:
    return {"hosts": list(hosts), "secretName": secret, "secretNamespace": "ns"}


class Made:
    def __init__(self, chain: bytes) -> None:
        self.chain = chain


class World:
    def __init__(self) -> None:
        self.secrets: SECRETS = {}
        self.made = 0
        self.certificates: Certificates[Made] = Certificates(
            lambda *key: self.secrets.get(key), self._make
        )

    def _make(self, chain: bytes, key: bytes) -> Made:
        if b"bad" in chain:
            raise InvalidCertificate("is bad")
        self.made += 1
        return Made(chain)

    def store(self, secret: dict[str, Any], name: str = "s") -> frozenset[tuple[str, str]]:
        self.secrets["ns", name] = secret
        return self.certificates.secret_changed(("ns", name))

    def has_news(self) -> bool:
        return self.certificates.has_news

    def shown(self, host: str | None) -> bytes | None:
        made = self.certificates.names().find(host)
        return None if made is None else made.chain


@pytest.fixture
def world() -> World:
    return World()


def test_a_host_shows_what_its_secret_holds(world: World) -> None:
    world.store(a_secret())
    assert world.certificates.put(an_ingress("i", shows("s", "A.test", "*.b.test"))) == {
        ("ns", "i")
    }
    assert world.certificates.is_wanted
    assert world.certificates.asks(("ns", "i"))
    assert world.shown("a.test") == world.shown("x.b.test") == b"chain"
    assert world.shown("c.test") is world.shown(None) is None
    assert world.certificates.problem(("ns", "i")) is None
    assert world.made == 1


def test_an_entry_without_hosts_is_for_all_of_the_rules(world: World) -> None:
    world.store(a_secret())
    rules = [{"hosts": ["a.test"]}, {"hosts": ["b.test", "c.test"]}]
    world.certificates.put(an_ingress("i", shows("s"), rules=rules))
    assert {world.shown(f"{host}.test") for host in "abc"} == {b"chain"}


def test_a_secret_that_comes_later(world: World) -> None:
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    problem = world.certificates.problem(("ns", "i"))
    assert problem == Problem(
        "Secret ns/s: not found, or not of type kubernetes.io/tls", may_come=True
    )
    assert world.store(a_secret()) == {("ns", "i")}
    assert world.certificates.problem(("ns", "i")) is None
    assert world.shown("a.test") == b"chain"


def test_a_secret_that_changes_is_made_anew_once(world: World) -> None:
    world.store(a_secret())
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    before = world.certificates.names()
    assert world.store(a_secret()) == {("ns", "i")}
    assert world.made == 1
    world.store(a_secret(crt=b"new"))
    assert world.shown("a.test") == b"new"
    first = before.find("a.test")
    assert first is not None
    assert first.chain == b"chain"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"tls.crt": "YmFk", "tls.key": "aw=="}, "is bad"),
        ({"tls.crt": "aw=="}, "has no tls.key"),
        ({"tls.key": "aw=="}, "has no tls.crt"),
        ({"tls.crt": "", "tls.key": "aw=="}, "has no tls.crt"),
        ({"tls.crt": "%%%", "tls.key": "aw=="}, "tls.crt is not base64"),
        ({"tls.crt": 5, "tls.key": "aw=="}, "tls.crt is not base64"),
        (None, "has no tls.crt"),
    ],
)
def test_nonsense_hurts_its_own_host_alone(world: World, data: Any, text: str) -> None:
    world.store(a_secret())
    world.store(a_secret("other"), "other")
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    world.certificates.put(an_ingress("j", shows("other", "b.test")))
    world.store({**a_secret(), "data": data})
    assert world.certificates.problem(("ns", "i")) == Problem(f"Secret ns/s: {text}")
    assert world.certificates.problem(("ns", "j")) is None
    # What was good is shown still, until something good comes.
    assert world.shown("a.test") == b"chain"
    world.store(a_secret(crt=b"new"))
    assert world.shown("a.test") == b"new"
    assert world.certificates.problem(("ns", "i")) is None


def test_nonsense_from_the_start_shows_nothing(world: World) -> None:
    world.store(a_secret(crt=b"bad"))
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    assert world.shown("a.test") is None
    assert world.certificates.problem(("ns", "i")) == Problem("Secret ns/s: is bad")


def test_a_secret_that_goes_is_shown_until_there_is_another(world: World) -> None:
    world.store(a_secret())
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    del world.secrets["ns", "s"]
    assert world.certificates.secret_changed(("ns", "s")) == {("ns", "i")}
    problem = world.certificates.problem(("ns", "i"))
    assert problem is not None
    assert problem.may_come
    assert world.shown("a.test") == b"chain"


def test_a_host_belongs_to_the_oldest(world: World) -> None:
    world.store(a_secret("s1", b"one"), "s1")
    world.store(a_secret("s2", b"two"), "s2")
    certificates = world.certificates
    certificates.put(an_ingress("young", shows("s2", "a.test", "b.test"), made="2"))
    assert world.shown("a.test") == b"two"
    assert certificates.put(an_ingress("old", shows("s1", "a.test"), made="1")) == {
        ("ns", "old"),
        ("ns", "young"),
    }
    assert world.shown("a.test") == b"one"
    assert world.shown("b.test") == b"two"
    problem = certificates.problem(("ns", "young"))
    assert problem == Problem("host 'a.test' has the certificate of another KIngress")
    assert certificates.remove("ns", "old") == {("ns", "young")}
    assert world.shown("a.test") == b"two"
    assert certificates.problem(("ns", "young")) is None


def test_what_is_asked_for_no_more_is_shown_no_more(world: World) -> None:
    world.store(a_secret())
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    world.certificates.put(an_ingress("i", shows("s", "a.test")))
    assert world.made == 1
    world.certificates.put(an_ingress("i", shows("s", "b.test")))
    assert world.shown("a.test") is None
    assert world.shown("b.test") == b"chain"
    world.certificates.remove("ns", "i")
    assert not world.certificates.is_wanted
    assert world.shown("b.test") is None
    assert world.store(a_secret(crt=b"x")) == frozenset()
    assert world.certificates.remove("ns", "i") == set()


def test_a_default(world: World) -> None:
    world.store(a_secret())
    world.certificates.set_default(("ns", "s"))
    assert world.certificates.is_wanted
    assert world.shown(None) == world.shown("anything") == b"chain"
    assert world.certificates.owners() == []
    assert not world.has_news()
    assert world.store(a_secret(crt=b"new")) == frozenset()
    assert world.has_news()
    assert world.shown(None) == b"new"
    world.certificates.set_default(None)
    assert world.shown(None) is None
    assert not world.certificates.is_wanted


def test_news_are_what_others_are_shown(world: World) -> None:
    certificates = world.certificates
    assert world.has_news()
    certificates.names()
    world.store(a_secret())
    certificates.put(an_ingress("other", shows("missing", "b.test")))
    assert not world.has_news()
    certificates.put(an_ingress("i", shows("s", "a.test")))
    assert world.has_news()
    certificates.names()
    world.store(a_secret())
    world.store(a_secret(crt=b"bad"))
    assert not world.has_news()
    certificates.remove("ns", "i")
    assert world.has_news()


def test_no_more_is_kept_of_a_secret_than_is_read() -> None:
    secret = trimmed(a_secret())
    assert secret["data"].keys() == {"tls.crt", "tls.key"}
    assert "labels" not in secret["metadata"]
    assert trimmed({"metadata": {"namespace": "ns", "name": "s"}})["data"] == {}


def test_hosts_of_other_scripts_are_those_that_clients_send(world: World) -> None:
    world.store(a_secret())
    world.certificates.put(an_ingress("i", shows("s", "bücher.example")))
    assert world.shown("xn--bcher-kva.example") == b"chain"
