from __future__ import annotations

import numpy as np
import pytest

from hearth.simulation.traces import BadTrace, Trace, parse_trace

CHANCE = np.random.default_rng(1)


def read(text: str) -> dict[str, Trace]:
    return {trace.name: trace for trace in parse_trace(text.splitlines(), name="file")}


def counts(trace: Trace) -> list[int]:
    return [int(count) for count in trace.per_second(CHANCE)]


def test_seconds_with_counts() -> None:
    [trace] = read("second,requests\n0,2\n3,1\n3,1\n").values()
    assert (trace.name, trace.expected, trace.seconds) == ("file", 4, 4)
    assert counts(trace) == [2, 0, 0, 2]
    moments = trace.moments(CHANCE)
    assert [int(moment) for moment in moments] == [0, 0, 3, 3]
    assert moments == sorted(moments)


def test_counts_line_by_line_and_comments() -> None:
    [trace] = read("# from the access log\nrequests\n5\n0\n2\n").values()
    assert counts(trace) == [5, 0, 2]


def test_several_services_in_one_file() -> None:
    found = read("second,service,arrivals\n0,a,1\n7,b,2\n1,a,3\n")
    assert {name: counts(trace) for name, trace in found.items()} == {
        "a": [1, 3, 0, 0, 0, 0, 0, 0],
        "b": [0, 0, 0, 0, 0, 0, 0, 2],
    }


def test_moments_of_single_requests() -> None:
    [trace] = read("1.5\n0.25\n\n7\n").values()
    assert trace.moments(CHANCE) == [0.25, 1.5, 7.0]
    assert counts(trace) == [1, 1, 0, 0, 0, 0, 0, 1]
    found = read("2026-11-29T10:00:01.5Z,a\n2026-11-29T10:00:03Z,b\n")
    assert found["a"].moments(CHANCE) == [0.5]
    assert found["b"].moments(CHANCE) == [2.0]
    assert found["a"].seconds == found["b"].seconds == 3


def test_the_functions_of_the_azure_trace() -> None:
    head = "HashOwner,HashApp,HashFunction,Trigger,1,2,3"
    found = read(f"{head}\no,a,f1,http,0,60,0\no,a,f2,timer,1,1,1\n")
    assert {name: trace.expected for name, trace in found.items()} == {"f1": 60, "f2": 3}
    assert found["f1"].seconds == 180
    second = found["f1"].per_second(CHANCE)
    assert (second[:60].sum(), second[60:120].sum(), second[120:].sum()) == (0, 60, 0)
    assert all(60 <= moment < 120 for moment in found["f1"].moments(CHANCE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the trace is empty"),
        ("second,requests\n1,x\n", "line 2: '1,x' is not second,requests"),
        ("second,requests\n1,-1\n", "line 2: neither a second nor requests are below 0"),
        ("second,requests\n1\n", "line 2: '1' is not second,requests"),
        ("time,what\n", "line 1: 'time' is no number and no moment"),
        ("1\nnan\n", "line 2: 'nan' is no number"),
        ("1\n3000000\n", "at most are simulated"),
        ("second,requests\ninf,1\n", "line 2"),
        ("HashFunction,1,2\nf,1,x\n", "line 2: a minute without a number"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadTrace) as caught:
        read(text)
    assert said in str(caught.value)
