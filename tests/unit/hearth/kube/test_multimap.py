from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.multimap import Multimap

texts = st.sampled_from("ab")
keys = st.sampled_from("123").map(lambda each: ("ns", each))


@given(st.lists(st.tuples(st.booleans(), texts, keys)))
def test_it_is_a_map_of_sets_in_order(steps: list[tuple[bool, str, tuple[str, str]]]) -> None:
    found, expected = Multimap[str, tuple[str, str]](), dict[str, dict[tuple[str, str], None]]()
    for adds, text, key in steps:
        if adds:
            found.add(text, key)
            expected.setdefault(text, {})[key] = None
        else:
            found.remove(text, key)
            expected.get(text, {}).pop(key, None)
    there = {text: list(keys) for text, keys in expected.items() if keys}
    assert {text: list(found.get(text)) for text in found.values()} == there
    assert all(list(found.get(text)) == there.get(text, []) for text in "abc")
