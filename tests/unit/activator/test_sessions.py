"""Sticky sessions: where they go, when they move, and what that never changes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.endpoints import Endpoint, State
from activator.http.events import RequestHead, ResponseHead
from activator.pods import Address, Pod
from activator.sessions import Session, Sessions, cookie_value, token_of
from activator.throttler import Throttler
from serving.api.affinity import Affinity

COOKIE = Affinity(cookie="hearth-session")
HEADER = Affinity(header="x-user")


class World:
    def __init__(self, affinity: Affinity, pods: int, *, concurrency: int = 0) -> None:
        self.throttler: Throttler[str] = Throttler(random.Random(3).random)
        self.throttler.configure(concurrency, 100)
        self.throttler.has_wishes = True
        self.sessions = Sessions(affinity, self.throttler, "ns/shop")
        self.list_pods(*range(pods))

    def list_pods(self, *numbers: int, unready: tuple[int, ...] = ()) -> None:
        listed: dict[Address, Endpoint] = {}
        for number in (*numbers, *unready):
            state = State.NOT_READY if number in unready else State.READY
            address = (f"10.0.0.{number}", 80)
            listed[address] = Endpoint(address, state, f"pod-{number}")
        self.throttler.update(listed, 0.0)

    def session(self, value: str = "", *, is_secure: bool = False) -> Session | None:
        head = RequestHead.of(b"GET", b"/", b"a.test")
        if value:
            name = b"Cookie" if self.sessions.affinity.cookie else b"X-User"
            head.fields = [(name, value.encode())]
        return self.sessions.of(head, is_secure=is_secure)

    def ask(self, value: str = "", *, is_secure: bool = False) -> tuple[Pod, str]:
        """The pod that a request gets, and the cookie that its answer sets."""
        session = self.session(value, is_secure=is_secure)
        throttler = self.throttler
        pod = throttler.acquire() if session is None else throttler.acquire_near(session)
        assert pod is not None
        answer = ResponseHead.of(200)
        if session is not None:
            session.answer(pod, answer)
        return pod, dict(answer.fields).get(b"set-cookie", b"").decode()


def test_a_new_session_gets_a_cookie_and_stays_with_its_pod() -> None:
    world = World(COOKIE, 5)
    pod, cookie = world.ask()
    token = cookie.partition(";")[0].partition("=")[2]
    assert token.startswith(token_of(pod).decode() + ".")
    assert cookie == f"hearth-session={token}; Path=/; HttpOnly; SameSite=Lax"
    for _ in range(50):
        assert world.ask(f"other=1; hearth-session={token}") == (pod, "")
    assert world.sessions.counts == {"begun": 1, "kept": 50, "moved": 0, "elsewhere": 0}


def test_a_cookie_names_its_target_also_when_its_pod_is_gone() -> None:
    world = World(COOKIE, 1)
    _, cookie = world.ask()
    head = RequestHead.of(b"GET", b"/", b"a.test")
    head.fields = [(b"Cookie", cookie.partition(";")[0].encode())]
    world.list_pods()
    assert world.sessions.has(head)
    assert not Sessions(COOKIE, world.throttler, "ns/other").has(head)


def test_over_tls_the_cookie_stays_there() -> None:
    assert World(COOKIE, 1).ask(is_secure=True)[1].endswith("; HttpOnly; SameSite=Lax; Secure")


def test_a_session_moves_when_its_pod_is_gone_or_not_ready() -> None:
    for leave in ("gone", "unready"):
        world = World(COOKIE, 3)
        pod, cookie = world.ask()
        number = int(pod.name.removeprefix("pod-"))
        others = [each for each in range(3) if each != number]
        world.list_pods(*others, unready=(number,) if leave == "unready" else ())
        moved, renewed = world.ask(cookie.partition(";")[0])
        assert moved is not pod and moved.ready
        assert renewed.startswith(f"hearth-session={token_of(moved).decode()}.")
        assert world.sessions.counts["moved"] == 1


@pytest.mark.parametrize("token", ["", "x", "0" * 16, "é", '"quoted"'])
def test_a_cookie_that_names_no_pod_is_as_none(token: str) -> None:
    world = World(COOKIE, 2)
    pod, cookie = world.ask(f"hearth-session={token}")
    assert pod.ready and cookie.startswith("hearth-session=")


def test_a_session_whose_pod_is_full_is_elsewhere_and_comes_back() -> None:
    world = World(COOKIE, 2, concurrency=1)
    pod, cookie = world.ask()
    sent = cookie.partition(";")[0]
    other, renewed = world.ask(sent)
    assert other is not pod and renewed == ""
    world.throttler.release(pod)
    assert world.ask(sent) == (pod, "")
    assert world.sessions.counts == {"begun": 1, "kept": 1, "moved": 0, "elsewhere": 1}


def test_one_that_waits_gets_its_pod_if_that_is_free_when_it_is_first() -> None:
    world = World(COOKIE, 3, concurrency=1)
    taken = [world.ask()[0] for _ in range(3)]
    wishes = [taken[2], taken[2], taken[0]]
    for number, pod in enumerate(wishes):
        session = world.session(f"hearth-session={token_of(pod).decode()}")
        assert world.throttler.acquire_near(session) is None if session else False
        assert world.throttler.enqueue(str(number), 1, 0.0, session) is not None
    for pod in taken:
        world.throttler.release(pod)
    # The second one's is taken by the first: it goes where there is room, and so does the third.
    assert world.throttler.admit(0.0) == [("0", taken[2]), ("1", taken[0]), ("2", taken[1])]


def test_equal_headers_go_to_one_pod_for_all_activators() -> None:
    one, other = World(HEADER, 8), World(HEADER, 8)
    for number in range(40):
        pods = {each.ask(f"user-{number}")[0].name for each in (one, other, one)}
        assert len(pods) == 1
    assert one.sessions.counts["kept"] == 80


def test_without_the_header_a_request_is_balanced_as_any() -> None:
    world = World(HEADER, 4)
    assert world.session() is None
    assert len({world.ask()[0].name for _ in range(40)}) == 4


def test_headers_are_spread_evenly_and_few_move_with_the_pods() -> None:
    world = World(HEADER, 10)
    before = {n: world.ask(f"user-{n}")[0].name for n in range(2000)}
    assert max(Counter(before.values()).values()) < 2 * 2000 / 10
    world.list_pods(*range(9))
    after = {n: world.ask(f"user-{n}")[0].name for n in range(2000)}
    assert all(after[n] == name for n, name in before.items() if name != "pod-9")
    world.list_pods(*range(11))
    moved = sum(world.ask(f"user-{n}")[0].name != before[n] for n in range(2000))
    assert moved < 2 * 2000 / 11


def test_the_roll_of_a_header_is_spread_over_the_revisions() -> None:
    sessions = World(HEADER, 1).sessions
    rolls = []
    for number in range(1000):
        head = RequestHead.of(b"GET", b"/", b"a.test")
        head.fields = [(b"x-user", b"%d" % number)]
        roll = sessions.roll(head)
        assert roll is not None and 0.0 <= roll < 1.0 and sessions.roll(head) == roll
        rolls.append(roll)
    assert 350 < sum(roll < 0.4 for roll in rolls) < 450
    assert sessions.roll(RequestHead.of(b"GET", b"/", b"a.test")) is None
    assert World(COOKIE, 1).sessions.roll(RequestHead.of(b"GET", b"/", b"a.test")) is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([b"a=1; s=2; s=3"], b"2"),
        ([b"a=1", b"s=2"], b"2"),
        ([b"xs=1;s = 2 ;"], b"2"),
        ([b's="2"'], b"2"),
        ([b"s"], None),
        ([b"s="], b""),
    ],
)
def test_cookies_are_read_as_clients_send_them(lines: list[bytes], expected: bytes | None) -> None:
    assert cookie_value([(b"Cookie", line) for line in lines], b"s") == expected


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60),
    st.integers(1, 3),
    st.sampled_from([COOKIE, HEADER]),
)
def test_sessions_change_no_limit_and_leave_no_slot_unused(
    moves: list[tuple[int, bool]], concurrency: int, affinity: Affinity
) -> None:
    world = World(affinity, 3, concurrency=concurrency)
    throttler = world.throttler
    pods = throttler.ready
    flying: list[Pod] = []
    for user, ends in moves:
        if ends and flying:
            throttler.release(flying.pop(0))
        else:
            token = token_of(pods[user % 3]).decode()
            session = world.session(token if affinity is HEADER else f"hearth-session={token}")
            assert session is not None
            pod = throttler.acquire_near(session)
            if pod is None:
                throttler.enqueue("x", 1, 0.0, session)
            else:
                flying.append(pod)
        flying += [pod for _, pod in throttler.admit(0.0)]
        assert all(pod.in_flight <= concurrency for pod in pods)
        assert not throttler.waiting or all(pod.in_flight == concurrency for pod in pods)
        assert Counter(id(pod) for pod in flying) == {
            id(pod): pod.in_flight for pod in pods if pod.in_flight
        }
