from hearth import lulls
from hearth.lulls import QUIET_SHARE, WORTH_SECONDS, Lull, look, on_look

LOOK = 5.0
QUIET = QUIET_SHARE * LOOK / 2


def test_a_lull_comes_once_after_work() -> None:
    lull = Lull(10.0)
    assert not lull.has_come(10.0 + WORTH_SECONDS + QUIET_SHARE * LOOK, LOOK), "still at work"
    spent = 10.0 + WORTH_SECONDS + QUIET_SHARE * LOOK + QUIET
    assert lull.has_come(spent, LOOK)
    assert not lull.has_come(spent + QUIET, LOOK), "nothing has been done since"


def test_who_does_little_all_the_time_has_a_lull_now_and_then() -> None:
    lull = Lull(0.0)
    came = [lull.has_come(QUIET * look, LOOK) for look in range(100)]
    assert sum(came) == int(100 * QUIET / WORTH_SECONDS)


def test_holders_are_called_until_they_ask_no_more() -> None:
    calls: list[str] = []
    lull = Lull(0.0)
    end = on_look(lambda: calls.append("folded"))
    try:
        look(lull, 0.0, LOOK)
        look(lull, WORTH_SECONDS, WORTH_SECONDS / QUIET_SHARE)
    finally:
        end()
    look(lull, WORTH_SECONDS, LOOK)
    assert calls == ["folded", "folded"]
    assert not lulls._holders
