"""What a script says of itself, without being run."""

from __future__ import annotations

import pytest

from hearth.pipelines.api.keys import SCRIPT_BYTES
from hearth.pipelines.reading import Handler, ScriptError, read_script


def test_what_starts_a_script_is_read_off_it() -> None:
    script = """
import hearth.pipelines as p
from hearth.pipelines import on
raise SystemExit("it is not run")

@on("github:push", ref="refs/heads/*")
@on("cron:tick")
def push(event): ...

@p.on("*:deploy")
def deploy(event): ...

def helper(): ...
"""
    assert read_script(script) == [
        Handler("github:push", (("ref", "refs/heads/*"),), "push"),
        Handler("cron:tick", (), "push"),
        Handler("*:deploy", (), "deploy"),
    ]


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("def f(:", "ScriptInvalid", "line 1: invalid syntax: def f\\(:"),
        ("\0", "ScriptInvalid", "the script is no Python"),
        ("x = 1", "NoEvents", "it needs a function with @on"),
        ("@on(X)\ndef f(e): ...", "ScriptInvalid", "line 1: @on takes one text"),
        ("@on('a:b', ref=X)\ndef f(e): ...", "ScriptInvalid", "written out"),
        ("@on('a:b', **x)\ndef f(e): ...", "ScriptInvalid", "written out"),
        ("@on()\ndef f(e): ...", "ScriptInvalid", "one text"),
        ("@on(':')\ndef f(e): ...", "ScriptInvalid", "line 1: ':' is no SOURCE:TYPE"),
        ("@on('a:b')\nasync def f(e): ...", "ScriptInvalid", "f is async"),
        ("#" * (SCRIPT_BYTES + 1), "ScriptTooLarge", "are the most"),
    ],
)
def test_a_script_that_is_no_use_says_why(script: str, reason: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words) as caught:
        read_script(script)
    assert caught.value.reason == reason
