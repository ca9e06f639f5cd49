"""Which joins are complete, which are over, and what is not wanted any more."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.joins.parts import FILTERED, MISSING, NOTHING, REPLIED, Part, new_token
from eventing.runtime.joins.table import LOST_SECONDS, JoinTable, Verdict

START = 1_700_000_000.0
TIMEOUT = 60.0


def token(number=0, at=START):
    return new_token(int(at * 1e9), f"{number:x}")


T = token()


def a_table(branches=2, **more):
    return JoinTable(branches, TIMEOUT, **more)


def test_a_join_is_complete_with_the_last_of_its_parts():
    table = a_table()
    assert table.add_event(T, "e", START) is Verdict.KEPT
    assert table.add(Part(T, 1, NOTHING), "n", START) is Verdict.KEPT
    assert table.add(Part(T, 0, REPLIED, 1, 2), "b", START) is Verdict.KEPT
    assert table.add(Part(T, 0, REPLIED, 0, 2), "a", START) is Verdict.COMPLETE
    assert (len(table), table.size) == (1, 4)
    gathered = table.take(T)
    assert gathered.is_whole and gathered.event == "e"
    told = [(each.outcome, list(each.positions)) for each in gathered.branches]
    assert told == [(REPLIED, ["a", "b"]), (NOTHING, ["n"])]
    assert (len(table), table.size, table.next_due()) == (0, 0, None)


def test_what_comes_again_is_not_wanted_before_and_after():
    table = a_table(1)
    table.add_event(T, 1, START)
    assert table.add_event(T, 2, START) is Verdict.UNWANTED
    assert table.add_event(T, 1, START) is Verdict.KEPT  # the same one, read anew
    assert table.add(Part(T, 0, REPLIED, 0, 2), 3, START) is Verdict.KEPT
    assert table.add(Part(T, 0, REPLIED, 0, 2), 3, START) is Verdict.KEPT
    assert table.add(Part(T, 0, REPLIED, 0, 2), 4, START) is Verdict.UNWANTED
    assert table.add(Part(T, 0, NOTHING), 5, START) is Verdict.UNWANTED
    assert table.add(Part(T, 0, REPLIED, 1, 2), 6, START) is Verdict.COMPLETE
    table.take(T)
    assert table.add(Part(T, 0, REPLIED, 1, 2), 7, START) is Verdict.UNWANTED
    assert table.add_event(T, 8, START) is Verdict.UNWANTED


def test_branches_that_there_are_not_are_not_wanted():
    table = a_table()
    assert table.add(Part(T, 2, REPLIED), 1, START) is Verdict.UNWANTED
    assert table.add(Part(T, -1, REPLIED), 1, START) is Verdict.UNWANTED
    assert table.size == 0


def test_at_its_time_limit_a_join_is_done_with_what_there_is():
    table = a_table()
    table.add_event(T, 1, START)
    table.add(Part(T, 1, FILTERED), 2, START + 1)
    assert table.next_due() == START + TIMEOUT
    assert table.due(START + TIMEOUT - 1) == ([], [])
    assert table.due(START + TIMEOUT) == ([T], [])
    gathered = table.take(T)
    assert not gathered.is_whole
    assert [each.outcome for each in gathered.branches] == [MISSING, FILTERED]
    assert table.add(Part(T, 0, REPLIED), 3, START + TIMEOUT) is Verdict.UNWANTED


def test_what_came_in_time_counts_whenever_it_is_read():
    """After a restart parts are read late; late is what came late."""
    table = a_table()
    assert table.add(Part(T, 0, REPLIED), 1, START + 1) is Verdict.KEPT
    assert table.add(Part(T, 1, REPLIED), 2, START + TIMEOUT) is Verdict.UNWANTED
    assert table.add_event(T, 3, START + 2 * TIMEOUT) is Verdict.KEPT
    assert table.due(START + 2 * TIMEOUT) == ([T], [])


def test_an_event_that_comes_after_the_time_limit_is_answered_all_the_same():
    table = a_table()
    table.add(Part(T, 0, REPLIED), 1, START)
    assert table.due(START + TIMEOUT) == ([], [])  # the event itself is still on its way
    table.add_event(T, 2, START + TIMEOUT + 5)
    assert table.due(START + TIMEOUT + 5) == ([T], [])
    table.take(T)
    other = token(1)
    assert table.add_event(other, 4, START + 10 * TIMEOUT) is Verdict.KEPT
    assert table.due(START + 10 * TIMEOUT) == ([other], [])


def test_parts_whose_event_never_comes_are_given_up():
    table = a_table()
    table.add(Part(T, 0, REPLIED), 1, START)
    now = START
    for _ in range(1000):
        due = table.next_due()
        assert due is not None and due > now
        now = due
        over, lost = table.due(now)
        assert over == []
        if lost:
            break
    assert lost == [T]
    assert now <= START + TIMEOUT + LOST_SECONDS + TIMEOUT
    assert list(table.take(T).positions()) == [1]


def test_a_clock_that_was_set_back_makes_no_join_wait_longer():
    ahead = token(at=START + 10_000)
    table = a_table()
    table.add_event(ahead, 1, START)
    assert table.next_due() == START + TIMEOUT


def test_what_is_done_is_known_up_to_a_number():
    table = a_table(most_known=2)
    for number in range(3):
        table.done(token(number))
    assert table.add(Part(token(2), 0, REPLIED), 1, START) is Verdict.UNWANTED
    assert table.add(Part(token(0), 0, REPLIED), 1, START) is Verdict.KEPT


@st.composite
def shuffled_parts(draw):
    """Parts of some joins, some of them twice, in any order."""
    branches = draw(st.integers(1, 4))
    parts: list[tuple[str, Part | None]] = []
    for number in range(draw(st.integers(1, 4))):
        parts.append((token(number), None))
        for branch in range(branches):
            count = draw(st.integers(1, 3))
            parts += [
                (token(number), Part(token(number), branch, REPLIED, index, count))
                for index in range(count)
            ]
    again = draw(st.lists(st.sampled_from(parts), max_size=5))
    return branches, draw(st.permutations(parts + again))


@given(shuffled_parts())
def test_each_join_is_taken_once_with_all_of_its_parts(given_parts):
    branches, parts = given_parts
    table = a_table(branches)
    kept: Counter[str] = Counter()
    taken = {}
    for position, (of, part) in enumerate(parts):
        verdict = (
            table.add_event(of, position, START)
            if part is None
            else table.add(part, position, START)
        )
        kept[of] += verdict is not Verdict.UNWANTED
        if verdict is Verdict.COMPLETE:
            assert of not in taken
            taken[of] = table.take(of)
            assert taken[of].size == kept[of]
        assert table.size == sum(kept[each] for each in kept if each not in taken)
    assert taken.keys() == {of for of, _ in parts}
    for of, gathered in taken.items():
        wanted = {part for each, part in parts if each == of and part is not None}
        assert sum(len(told.positions) for told in gathered.branches) == len(wanted)
        assert gathered.is_whole
    assert table.size == len(table) == 0
    assert table.next_due() is None
