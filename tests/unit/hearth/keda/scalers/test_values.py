"""One number out of JSON, XML, YAML and Prometheus' text."""

from __future__ import annotations

import math

import pytest

from hearth.keda.scalers.values import value_at

_PAGE = b"""# HELP backend_queue_size Total number of items
# TYPE backend_queue_size counter
backend_queue_size{queueName="zero"} 0
backend_queue_size{queueName="one",color="re\\"d"} 1 1700000000000
backend_queue_size_more 7\r
# TYPE temperature gauge
temperature 36.6
odd NaN"""


@pytest.mark.parametrize(
    ("form", "body", "location", "value"),
    [
        ("json", b'{"a":{"b":[1,2]}}', "a.b.1", 2),
        ("json", b'{"a":"1500m"}', "a", 1.5),
        ("json", b'{"a":[{"n":"x","v":3}]}', 'a.#(n=="x").v', 3),
        ("yaml", b"a:\n- b: 4.5\n", "a.0.b", 4.5),
        ("yaml", b"a: 2Ki", "a", 2048),
        ("xml", b"<a><b>1</b><b>5</b></a>", "a.b.1", 5),
        ("xml", b'<x:a xmlns:x="y"><x:b> 6 </x:b></x:a>', "a.b", 6),
        ("prometheus", _PAGE, 'backend_queue_size{queueName="one"}', 1),
        ("prometheus", _PAGE, 'backend_queue_size{color="re\\"d"}', 1),
        ("prometheus", _PAGE, "backend_queue_size", 0),
        ("prometheus", _PAGE, '{__name__="temperature"}', 36.6),
        ("prometheus", _PAGE, "backend_queue_size_more", 7),
    ],
)
def test_the_number_at_a_place(form, body, location, value):
    assert value_at(body, location, form) == value


def test_no_number_of_prometheus_is_none_here():
    assert math.isnan(value_at(_PAGE, "odd", "prometheus"))


@pytest.mark.parametrize(
    ("form", "body", "location", "words"),
    [
        ("json", b"{", "a", "the answer is no JSON"),
        ("json", b'{"a":true}', "a", "must point to a numeric value .* got True"),
        ("json", b'{"a":{}}', "a", "got JSON"),
        ("json", b'{"a":1}', "b", "got Null"),
        ("json", b'{"a":"many"}', "a", "not parseable as a Quantity"),
        ("yaml", b"a: [", "a", "error parsing YAML"),
        ("yaml", b"- 1", "a", "the document is no map"),
        ("yaml", b"a: 2026-01-01", "a", "got date"),
        ("xml", b"<a>", "a", "the answer is no XML"),
        ("xml", b"<a>1</a>", "b", "key 'b' not found"),
        ("prometheus", _PAGE, "nothing", "metric 'nothing' not found"),
        ("prometheus", _PAGE, 'temperature{a="b"}', "not found"),
        ("prometheus", _PAGE, "temperature{a=b}", "no selector"),
        ("prometheus", b"a x", "a", "prometheus format parsing error"),
    ],
)
def test_what_is_no_number(form, body, location, words):
    with pytest.raises(ValueError, match=words):
        value_at(body, location, form)
