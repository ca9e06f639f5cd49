"""Why an event does not match: the clause, and agreement with the predicates of the hot path."""

import pytest
from hypothesis import given

from eventing.filters import compile_filters, compile_trigger, explain
from eventing.filters.cesql import parse
from eventing.filters.cesql.syntax import Node, children
from eventing.filters.cesql.writing import written
from tests.unit.eventing.filters.test_filters import EVENT, EVENTS, EXPRESSIONS, FILTERS


@pytest.mark.parametrize(
    ("filters", "clause", "reason"),
    [
        (
            [{"exact": {"source": "/shop/1", "type": "x"}}],
            "filters[0].exact[type]",
            'wants "x", the event has "order.created"',
        ),
        (
            [{}, {"prefix": {"subject": "a"}}],
            "filters[1].prefix[subject]",
            'wants the beginning "a", the event has no attribute "subject"',
        ),
        (
            [{"all": [{"exact": {"id": "1"}}, {"suffix": {"source": "/2"}}]}],
            "filters[0].all[1].suffix[source]",
            'wants the end "/2", the event has "/shop/1"',
        ),
        (
            [{"any": [{"exact": {"id": "2"}}, {"cesql": "type = 'x'"}]}],
            "filters[0].any",
            'none of them matches: [0].exact[id]: wants "2", the event has "1"; '
            "[1].cesql: type = 'x' is false (type is \"order.created\")",
        ),
        (
            [{"not": {"prefix": {"type": "order."}}}],
            "filters[0].not",
            "what it excludes matches",
        ),
        (
            [{"cesql": "type LIKE 'order.%' AND amount > 100"}],
            "filters[0].cesql",
            'amount > 100 cannot be told: the event has no attribute "amount"',
        ),
        (
            [{"cesql": "NOT (type = 'order.created' OR id = '9')"}],
            "filters[0].cesql",
            "type = 'order.created' is true (type is \"order.created\")",
        ),
        (
            [{"cesql": "id = '2' OR NOT EXISTS source"}],
            "filters[0].cesql",
            "id = '2' is false (id is \"1\"); EXISTS source is true",
        ),
        ([{"cesql": "1 + 1"}], "filters[0].cesql", "1 + 1 is 2, which is no Boolean"),
        ([{"cesql": "type"}], "filters[0].cesql", "type is order.created, which is no Boolean"),
        ([{"cesql": "TRUE XOR TRUE"}], "filters[0].cesql", "TRUE XOR TRUE is false"),
    ],
)
def test_the_clause_that_fails_is_named(filters, clause, reason):
    found = explain({"filters": filters}, EVENT)
    assert (found.matches, found.clause, found.reason) == (False, clause, reason)


@pytest.mark.parametrize(
    ("attributes", "clause", "reason"),
    [
        ({"id": "1", "type": "x"}, "[type]", 'wants "x", the event has "order.created"'),
        ({"subject": ""}, "[subject]", 'has to be there, the event has no attribute "subject"'),
    ],
)
def test_the_older_form_is_explained(attributes, clause, reason):
    found = explain({"filter": {"attributes": attributes}}, EVENT)
    assert (found.clause, found.reason) == (f"filter.attributes{clause}", reason)


@pytest.mark.parametrize("spec", [{}, {"filters": [{}]}, {"filter": {"attributes": {"type": ""}}}])
def test_of_what_matches_nothing_is_told(spec):
    found = explain(spec, EVENT)
    assert (found.matches, found.clause, found.reason) == (True, "", "")
    assert compile_trigger(spec).matches(EVENT)


@given(FILTERS, FILTERS, EVENTS)
def test_an_explanation_agrees_with_the_predicate(one, other, event):
    found = explain({"filters": [one, other]}, event)
    assert found.matches is compile_filters([one, other]).matches(event)
    assert found.matches is not bool(found.clause and found.reason)


def shape(node: Node) -> object:
    own = [getattr(node, name) for name in ("operator", "name", "value", "pattern")
           if hasattr(node, name)]  # fmt: skip
    return node.__class__, own, [shape(child) for child in children(node)]


@given(EXPRESSIONS)
def test_what_is_written_of_a_tree_reads_as_that_tree(text):
    assert shape(parse(written(parse(text)))) == shape(parse(text))


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("(a AND b) OR c", "(a AND b) OR c"),
        ("a AND b OR c", "a AND (b OR c)"),
        ("(1 + 2) * 3 - (4 - 5)", "(1 + 2) * 3 - (4 - 5)"),
        ("NOT a LIKE '%\\'x'", "NOT a LIKE '%\\'x'"),
        ("a NOT IN (1, 'b', true)", "NOT (a IN (1, 'b', TRUE))"),
        ("(n + 1) IN (-8)", "(n + 1) IN (-8)"),
        ("- -2 = -(n)", "- -2 = - n"),
        ('upper(left(a, 2)) = "O"', "UPPER(LEFT(a, 2)) = 'O'"),
        ("exists A and true", "EXISTS a AND TRUE"),
    ],
)
def test_parentheses_stand_where_they_are_needed(text, again):
    assert written(parse(text)) == again
    assert shape(parse(again)) == shape(parse(text))
