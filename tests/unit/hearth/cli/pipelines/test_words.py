"""What commands about pipelines print and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli.errors import UserError
from hearth.cli.pipelines.applying import Wanted, name_of
from hearth.cli.pipelines.sending import Sending, check_event, event_of, payload_of
from hearth.cli.pipelines.words import elapsed, job_rows, run_row, took
from hearth.pipelines.api.keys import PAYLOAD_BYTES
from tests.unit.hearth.pipelines.test_decide import a_run


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"),
        (119, "119s"),
        (130, "2m10s"),
        (120, "2m"),
        (700, "11m"),
        (11_100, "3h5m"),
        (36_000, "10h"),
        (183_600, "2d3h"),
        (900_000, "10d"),
    ],
)
def test_ages_are_kubectls(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_what_a_run_took() -> None:
    began = {"startedAt": "1970-01-01T00:00:00.500000Z"}
    assert took({}, 9) == ""
    assert took({**began, "finishedAt": "1970-01-01T00:00:00.650000Z"}, 9) == "0.15 s"
    assert took(began, 30.5) == "30 s"
    assert took(began, 130.5) == "2m10s"


def test_the_rows_of_a_run() -> None:
    run = a_run()
    jobs = {
        "b": {"number": 2, "phase": "Failed", "attempt": 1, "exitCode": 1, "message": "no\nmore"},
        "a": {"number": 1, "phase": "Succeeded", "attempt": 1, "exitCode": 0, "result": [1]},
    }
    run["status"] = {"phase": "Running", "jobs": jobs}
    assert run_row(run, 5.0) == ["p-1", "p", "Running", "0/2", "s:t", "", "5s"]
    assert job_rows(run, 5.0) == [
        ["a", "Succeeded", "1", "", "0", "[1]"],
        ["b", "Failed", "1", "", "1", "no"],
    ]


def test_a_payload_is_json_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text("{}")
    assert payload_of("") == "{}"
    assert payload_of('[{"a": 1}]') == '[{"a": 1}]'
    assert payload_of(str(file)) == payload_of(f"@{file}") == f"@{file}"
    with pytest.raises(UserError, match="No such file or directory; give a file, or JSON"):
        payload_of(str(tmp_path / "none"))
    file.write_text("x" * (PAYLOAD_BYTES + 1))
    with pytest.raises(UserError, match="are the most that an event of a pipeline carries"):
        payload_of(str(file))


def test_the_event_of_a_command_line() -> None:
    event = event_of(Sending("github:push", attributes={"ref": "x"}))
    assert (event["source"], event["type"], event["ref"]) == ("github", "push", "x")
    assert event_of(Sending("push"))["source"] == "hearth/cli"
    with pytest.raises(UserError, match="is no SOURCE:TYPE"):
        event_of(Sending(":"))
    script = '@on("a:b", ref="x")\ndef f(e): ...'
    check_event(script, {"source": "a", "type": "b", "ref": "x"}, "s")
    with pytest.raises(UserError, match="it has @on for a:b ref=x"):
        check_event(script, {"source": "a", "type": "b"}, "s")


def test_the_name_of_a_pipeline_is_its_files() -> None:
    assert name_of(Wanted(Path("My_build.py")), "My_build") == "my-build"
    with pytest.raises(UserError, match="give one with --as NAME"):
        name_of(Wanted(Path("a b.py")), "a b")
