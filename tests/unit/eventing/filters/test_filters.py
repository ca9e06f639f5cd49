"""Dialects, what cannot be served, and the index against the plain way."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventing.filters import FilterError, FilterIndex, compile_filters, compile_trigger
from eventing.filters.cesql.values import integer_of
from eventing.filters.compiler import Filter
from eventing.filters.keys import Probe

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
        ([{"cesql": "type LIKE 'order.%' AND NOT EXISTS subject"}], True),
        ([{"cesql": "type = 'other'"}], False),
        ([{"not": {"cesql": "subject = 'x'"}}], True),
        ([{"cesql": "subject != 'x'"}], False),
        ([{"cesql": "type"}], False),
        ([{"cesql": "1 + 1"}], False),
        ([{"cesql": "NOPE(type)"}], False),
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
        ([{"any": [{"cesql": "type = = 'a'"}]}], "filters[0].any[0].cesql"),
        ([{"cesql": 5}], "filters[0].cesql"),
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


def test_an_expression_that_is_none_says_what_is_wrong_and_where():
    with pytest.raises(FilterError) as caught:
        compile_trigger({"filters": [{"exact": {"type": "a"}}, {"cesql": "type = = 'a'"}]})
    message = 'filters[1].cesql: expected a value, found "=" at character 8'
    assert str(caught.value) == message


WORDS = st.sampled_from(["a", "b", "ab", "ba", "1", "01"])
NAMES = st.sampled_from(["type", "source", "ext"])
COMPARED = st.one_of(
    st.builds("{} = '{}'".format, NAMES, WORDS),
    st.builds("{} != '{}'".format, NAMES, WORDS),
    st.builds("{} LIKE '{}%{}'".format, NAMES, WORDS, st.sampled_from(["", "b", "_"])),
    st.builds("{} LIKE '%{}'".format, NAMES, WORDS),
    st.builds("{} NOT LIKE '{}'".format, NAMES, WORDS),
    st.builds("{} IN ('{}', '{}', 1)".format, NAMES, WORDS, WORDS),
    st.builds("{} = {}".format, NAMES, st.sampled_from(["1", "0", "TRUE", "source"])),
    st.builds("EXISTS {}".format, NAMES),
)
EXPRESSIONS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["AND", "OR", "XOR"]), inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=4,
)
LEAVES = st.one_of(
    st.builds(
        lambda dialect, name, value: {dialect: {name: value}},
        st.sampled_from(["exact", "prefix", "suffix"]),
        NAMES,
        WORDS,
    ),
    st.builds(lambda text: {"cesql": text}, EXPRESSIONS),
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
@example({"cesql": "(type = 'a') OR (type = 1)"}, {"type": "a", "source": "a"})
def test_what_matches_has_what_is_required(one, event):
    compiled = compile_filters([one])
    if compiled.matches(event):
        assert all(any(has(event, key) for key in each) for each in compiled.requires)


def has(event, key):
    value = event.get(key.attribute)
    match key.probe:
        case Probe.EXACT:
            return value == key.value
        case Probe.INTEGER:
            return value is not None and integer_of(value) == key.value
        case Probe.PREFIX:
            return value is not None and value.startswith(key.value)
        case Probe.SUFFIX:
            return value is not None and value.endswith(key.value)
        case Probe.PRESENT:
            return value is not None


class Asked:
    """Counts how often any of the filters it was put around is asked."""

    def __init__(self):
        self.times = 0

    def around(self, one):
        def matches(event):
            self.times += 1
            return one.matches(event)

        return Filter(matches, one.requires)


@pytest.mark.parametrize(
    "dialect",
    [
        lambda n: {"exact": {"type": f"t{n}"}},
        lambda n: {"exact": {"source": "/shop/1", "tenant": f"t{n}"}},
        lambda n: {"prefix": {"type": f"t{n}."}},
        lambda n: {"suffix": {"type": f".t{n}"}},
        lambda n: {"any": [{"exact": {"type": f"t{n}"}}, {"exact": {"subject": f"t{n}"}}]},
        lambda n: {"all": [{"not": {"exact": {"id": "7"}}}, {"prefix": {"type": f"t{n}."}}]},
        lambda n: {"cesql": f"type = 't{n}' OR subject = 't{n}'"},
        lambda n: {"cesql": f"source = '/shop/1' AND type LIKE 't{n}.%'"},
        lambda n: {"cesql": f"EXISTS source AND (tenant IN ('t{n}', 'u{n}'))"},
        lambda n: {"cesql": f"number = {n} AND type != 'x'"},
        lambda n: {"exact": {f"ext{n}": "yes"}},
    ],
)
def test_few_of_many_filters_are_asked(dialect):
    asked = Asked()
    index = FilterIndex(
        (asked.around(compile_filters([dialect(number)])), number) for number in range(5000)
    )
    event = EVENT | {"type": "t42.t42", "tenant": "t42", "number": "42", "ext42": "yes"}
    found = index.match(event) + index.match(event | {"type": "t42"})
    assert 42 in found
    assert asked.times <= 2
