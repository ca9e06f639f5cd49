"""Dialects, what cannot be served, and the index against the plain way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.filters import FilterError, FilterIndex, compile_filters, compile_trigger

EVENT = {"id": "1", "type": "order.created", "source": "/shop/1", "specversion": "1.0"}


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ([], True),
        ([{}], True),
        ([{"exact": {"type": "order.created"}}], True),
        ([{"exact": {"type": "order.created", "source": "/x"}}], False),
        ([{"exact": {"subject": "x"}}], False),
        ([{"prefix": {"type": "order."}}], True),
        ([{"prefix": {"subject": "o"}}], False),
        ([{"suffix": {"source": "/1", "type": "created"}}], True),
        ([{"suffix": {"source": "/2"}}], False),
        ([{"all": [{"prefix": {"type": "order"}}, {"exact": {"source": "/shop/1"}}]}], True),
        ([{"all": [{"prefix": {"type": "order"}}, {"exact": {"source": "/"}}]}], False),
        ([{"any": [{"exact": {"type": "x"}}, {"exact": {"source": "/shop/1"}}]}], True),
        ([{"any": [{"exact": {"type": "x"}}, {"exact": {"source": "y"}}]}], False),
        ([{"not": {"exact": {"type": "x"}}}], True),
        ([{"not": {"any": [{"all": [{"exact": {"type": "order.created"}}]}]}}], False),
        ([{"not": {}}], True),
        ([{"any": []}], True),
        ([{"exact": {"type": "order.created"}}, {"suffix": {"source": "z"}}], False),
    ],
)
def test_dialects(filters, matches):
    assert compile_filters(filters).matches(EVENT) is matches


@pytest.mark.parametrize(
    ("attributes", "matches"),
    [
        ({}, True),
        ({"type": "order.created"}, True),
        ({"type": ""}, True),
        ({"subject": ""}, False),
        ({"type": "other"}, False),
    ],
)
def test_older_attributes_filter(attributes, matches):
    assert compile_trigger({"filter": {"attributes": attributes}}).matches(EVENT) is matches


def test_filters_count_instead_of_filter():
    spec = {"filter": {"attributes": {"type": "no"}}, "filters": [{"exact": {"id": "1"}}]}
    assert compile_trigger(spec).matches(EVENT)


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ([{"cesql": "type = 'a'"}], "filters[0]"),
        ([{"not": {"regex": {"type": "a"}}}], "filters[0].not"),
        ([{"exact": {"type": ""}}], "filters[0].exact[type]"),
        ([{"exact": {"Bad": "a"}}], "filters[0].exact[Bad]"),
        ([{"exact": {"a": "b"}, "prefix": {"a": "b"}}], "filters[0]"),
        ([{"all": {"a": "b"}}], "filters[0].all"),
        ([{}, {"any": [{"suffix": {"a": 1}}]}], "filters[1].any[0].suffix[a]"),
        (["x"], "filters[0]"),
    ],
)
def test_what_cannot_be_served_says_where(filters, path):
    with pytest.raises(FilterError) as caught:
        compile_filters(filters)
    assert caught.value.path == path


WORDS = st.sampled_from(["a", "b", "ab"])
LEAVES = st.one_of(
    st.builds(
        lambda dialect, name, value: {dialect: {name: value}},
        st.sampled_from(["exact", "prefix", "suffix"]),
        st.sampled_from(["type", "source", "ext"]),
        WORDS,
    ),
    st.just({}),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)
EVENTS = st.fixed_dictionaries({"type": WORDS, "source": WORDS}, optional={"ext": WORDS})


@given(st.lists(FILTERS, max_size=8), EVENTS)
def test_the_index_finds_what_asking_everyone_finds(filters, event):
    compiled = [compile_filters([one]) for one in filters]
    plain = [number for number, one in enumerate(compiled) if one.matches(event)]
    index = FilterIndex((one, number) for number, one in enumerate(compiled))
    assert index.match(event) == plain


@given(FILTERS, EVENTS)
def test_required_attributes_are_required(one, event):
    compiled = compile_filters([one])
    if compiled.matches(event):
        assert all(event.get(name) == value for name, value in compiled.required.items())


def test_many_exact_filters_are_not_all_asked():
    asked = []

    class Counting(dict[str, str]):
        def get(self, name, default=None):
            asked.append(name)
            return super().get(name, default)

    index = FilterIndex(
        (compile_filters([{"exact": {"type": f"t{number}"}}]), number) for number in range(5000)
    )
    assert index.match(Counting(EVENT | {"type": "t42"})) == [42]
    assert len(asked) < 10
