"""What scripts see: jobs, their order, what is said of what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from hearth.pipelines import JobFailed, PipelineError, job, on, parallel
from hearth.pipelines.sdk import jobs, scripts
from hearth.pipelines.sdk.problems import Cycle, DuplicateJob, Refused
from hearth.pipelines.sdk.worker import run


class Runs:
    """Where jobs are asked for: each is over when it is waited for, as it is told."""

    def __init__(self, **ends: Mapping[str, Any]) -> None:
        self.ends = ends
        self.asked: list[Mapping[str, Any]] = []
        self.waited: list[list[str]] = []

    @property
    def names(self) -> list[str]:
        return [str(each["name"]) for each in self.asked]

    def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(wanted)
        found = self.ends.get(wanted["name"], {})
        if "refused" in found:
            raise Refused("UnknownSecret", found["refused"])
        return found if found.get("remembered") else {"phase": "Pending"}

    def wait(self, names: Sequence[str], seconds: float) -> Mapping[str, Mapping[str, Any]]:
        self.waited.append(list(names))
        name = names[-1]
        return {name: {"phase": "Succeeded", "finishedAt": "now", **self.ends.get(name, {})}}


@pytest.fixture
def runs() -> Iterator[Runs]:
    found = Runs()
    jobs.begin(found)
    yield found
    jobs.begin(None)


def a(name: str, **more: Any) -> jobs.Job:
    return job(name, image="i", **more)


def nothing(_event: object = None) -> None: ...


def test_jobs_one_after_the_other_and_side_by_side(runs: Runs) -> None:
    assert a("one").run().succeeded
    first, second = parallel(a("two"), a("three"))
    assert (first.name, second.name) == ("two", "three")
    assert runs.waited == [["one"], ["two", "three"], ["two"]]


def test_a_job_waits_for_what_it_needs(runs: Runs) -> None:
    build, test = a("build"), a("test")
    parallel(a("publish", needs=[build, "test"]), build, test)
    assert runs.names == ["build", "test", "publish"]
    a("after", needs=["publish"]).run()


def test_a_failed_job_is_told_once_all_are_over(runs: Runs) -> None:
    runs.ends["b"] = {"phase": "Failed", "message": "exit code 1"}
    with pytest.raises(JobFailed, match=r"^job 'b' Failed: exit code 1$"):
        parallel(a("a"), a("b"), a("c", needs=["b"]))
    assert runs.names == ["a", "b"]
    found = parallel(a("d"), a("e", needs=["d"]), check=False)
    assert [each.phase for each in found] == ["Succeeded", "Succeeded"]


def test_what_is_remembered_is_not_waited_for(runs: Runs) -> None:
    runs.ends["a"] = {"phase": "Succeeded", "finishedAt": "then", "result": 7, "remembered": True}
    assert a("a").run().value == 7
    assert runs.waited == []


def test_a_function_is_named_with_its_arguments(runs: Runs) -> None:
    job("f", nothing, 1, "x").run()
    assert (runs.asked[0]["function"], runs.asked[0]["arguments"]) == ("nothing", '[1, "x"]')


def test_a_name_is_given_once(runs: Runs) -> None:
    a("a").run()
    with pytest.raises(DuplicateJob, match="job 'a' was run already"):
        a("a").run()
    with pytest.raises(DuplicateJob, match="job 'b'"):
        parallel(a("b"), a("b"))


def test_jobs_that_wait_for_each_other(runs: Runs) -> None:
    with pytest.raises(Cycle, match="x -> y -> x"):
        parallel(a("x", needs=["y"]), a("y", needs=["x"]))
    assert runs.asked == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: job("a"), "takes either a function"),
        (lambda: job("a", nothing, image="i"), "takes either a function"),
        (lambda: job("a", lambda: 1), "one that the script defines at its top level"),
        (lambda: job("a", nothing, object()), "its arguments have to be JSON"),
    ],
)
def test_what_is_no_job_is_said(make: Any, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        make()


def test_a_job_starts_no_jobs() -> None:
    with pytest.raises(PipelineError, match="not by jobs"):
        a("a").run()


def test_on_checks_what_it_is_given() -> None:
    with pytest.raises(ValueError, match="is no SOURCE:TYPE"):
        on(":")


EVENT = '{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"n": 1}}'
HEAD = "from hearth.pipelines import on, job\n@on('s:t')\ndef go(event):\n"


def test_a_script_gets_the_event_of_the_sdk() -> None:
    script = HEAD + "    return [event.get_id(), event.get_data()]"
    assert run(script, EVENT, Runs()) == {"phase": "Succeeded", "summary": ["1", {"n": 1}]}


def test_bytes_stay_bytes_and_times_are_times() -> None:
    event = (
        '{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "AAE=",'
        ' "datacontenttype": "x/y", "time": "2026-01-02T03:04:05z"}'
    )
    script = HEAD + "    return [len(event.get_data()), event.get_time().year]"
    assert run(script, event, Runs())["summary"] == [2, 2026]


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("import nowhere", "ScriptDoesNotImport", "No module named 'nowhere'"),
        ("x = (", "ScriptDoesNotImport", "SyntaxError"),
        ("raise SystemExit(3)", "ScriptDoesNotImport", "SystemExit: 3"),
        (HEAD + "    1 / 0", "ScriptFailed", "line 4, in go"),
        (HEAD + "    return object()", "ScriptFailed", "has to be text or JSON"),
        (HEAD + "    return 'x' * 20000", "ScriptFailed", "16384 are the most"),
        ("from hearth.pipelines import on\n@on('a:b')\ndef f(e): ...", "UnknownEvent", "for s:t"),
        (
            HEAD + "    job('a', image='i').run()\n    job('a', image='i').run()",
            "DuplicateJob",
            "a",
        ),
    ],
)
def test_how_a_script_fails(script: str, reason: str, words: str) -> None:
    outcome = run(script, EVENT, Runs())
    assert (outcome["phase"], outcome["reason"]) == ("Failed", reason)
    assert words in outcome["message"]
    assert "hearth/pipelines/sdk" not in outcome["message"]


def test_what_is_refused_ends_the_script_with_its_reason() -> None:
    script = HEAD + "    job('a', image='i').run()"
    outcome = run(script, EVENT, Runs(a={"refused": "no such secret"}))
    assert (outcome["reason"], outcome["message"]) == ("UnknownSecret", "no such secret")


def test_all_functions_that_an_event_is_for_are_run_once() -> None:
    script = (
        "from hearth.pipelines import on\n@on('s:t')\n@on('*:t')\ndef a(e): return 1\n"
        "@on('t')\ndef b(e): return 2\n@on('other')\ndef c(e): return 3\n"
    )
    assert run(script, EVENT, Runs())["summary"] == {"a": 1, "b": 2}
    assert scripts.patterns() == ["*:t", "s:t", "t", "other"]
