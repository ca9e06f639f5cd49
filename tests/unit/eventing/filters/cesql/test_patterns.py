"""LIKE against the plainest way to read a pattern, and in time that grows with the text."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.filters.cesql.patterns import Pattern

PATTERNS = st.text(alphabet="ab%_\\\n", max_size=8)
TEXTS = st.text(alphabet="ab%_\\\n", max_size=8)


def plainly(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(plainly(text[start:], pattern[1:]) for start in range(len(text) + 1))
    if pattern[0] == "\\" and pattern[1:2] in ("%", "_"):
        return text[:1] == pattern[1] and plainly(text[1:], pattern[2:])
    return bool(text) and pattern[0] in ("_", text[0]) and plainly(text[1:], pattern[1:])


@given(TEXTS, PATTERNS)
def test_forms(text: str, pattern: str) -> None:
    form = Pattern.of(pattern)
    matches = form.test()(text)
    assert matches is plainly(text, pattern)
    if matches:
        assert text.startswith(form.prefix)
        assert text.endswith(form.suffix)
        assert form.exact in (None, text)


def test_no_pattern_takes_time_without_end() -> None:
    test = Pattern.of("%a" * 30 + "%b").test()
    assert not test("a" * 20_000)
    assert test("a" * 20_000 + "b")
