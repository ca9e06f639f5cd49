"""Order per key against a plain model: whoever may go is the oldest of its key, and alone."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventing.runtime.lanes import Lanes

KEYS = st.sampled_from("abc")


class Model(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.lanes: Lanes[int] = Lanes()
        self.serial = 0
        self.came: dict[str, deque[int]] = {}
        self.going: dict[str, int] = {}
        """What may go, by key; it is the first of those that came."""

    @rule(key=KEYS)
    def enter(self, key):
        self.serial += 1
        may_go = self.lanes.enter(key, self.serial)
        assert may_go == (key not in self.going)
        self.came.setdefault(key, deque()).append(self.serial)
        if may_go:
            self.going[key] = self.serial

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def leave(self, data):
        key = data.draw(st.sampled_from(sorted(self.going)))
        assert self.came[key].popleft() == self.going.pop(key)
        following = self.lanes.leave(key)
        assert following == (self.came[key][0] if self.came[key] else None)
        if following is not None:
            self.going[key] = following

    @invariant()
    def nobody_is_forgotten(self):
        assert self.lanes.is_empty == (not self.going)
        assert all(self.came[key][0] == item for key, item in self.going.items())


TestLanes = Model.TestCase


@given(st.lists(KEYS))
def test_giving_lanes_up_loses_nobody(keys):
    lanes: Lanes[int] = Lanes()
    waiting = [number for number, key in enumerate(keys) if not lanes.enter(key, number)]
    assert sorted(lanes.clear()) == waiting
    assert lanes.is_empty
    assert all(lanes.enter(key, 0) for key in set(keys))
