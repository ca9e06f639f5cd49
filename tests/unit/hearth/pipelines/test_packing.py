"""Which file of a folder is its script, and what that takes."""

from __future__ import annotations

import pytest

from hearth.functions.detection.application import Application, Dependencies, DetectionError
from hearth.pipelines.packing import application, script_in
from tests.unit.hearth.functions.detection.test_detect import Files

ON = "@on('a:b')\ndef f(e): ...\n"
EVENTS = "cloudevents>=2.0,<3"
BLOCK = "# /// script\n# dependencies = ['six']\n# ///\n"
PROJECT = "[project]\nname = 'p'\ndependencies = ['six']\n"


@pytest.mark.parametrize(
    ("files", "script"),
    [
        ({"build.py": ON, "a/other.py": ON}, "build.py"),
        ({"build.py": ON, "helper.py": "def f(:"}, "build.py"),
        ({"build.py": ON, "pipeline.py": ON}, "pipeline.py"),
        ({"build.py": "no event: read_script says what is missing"}, "build.py"),
    ],
)
def test_the_script_of_a_folder(files: dict[str, str], script: str) -> None:
    assert script_in(Files(files)) == script


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "", "a.py": "", "b.py": ""}, "shop has no script of a pipeline"),
        ({"a.py": ON, "b.py": ON}, r"more than one script: a.py, b.py; .* pipeline.py"),
    ],
)
def test_folders_that_do_not_say(files: dict[str, str], said: str) -> None:
    with pytest.raises(DetectionError, match=said):
        script_in(Files(files))


def needs(text: str, **files: str) -> Application | None:
    named = {name.replace("__", "."): content for name, content in files.items()}
    return application(Files({"build.py": text + ON, **named}), "build.py")


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("import json\nfrom hearth.pipelines import on\n", {"requirements__txt": "six\n"}),
        ("from cloudevents.core.v1.event import CloudEvent\n", {"requirements__txt": "six\n"}),
        ("import six\n", {}),  # what Hearth itself has may be used
        (BLOCK, {}),
    ],
)
def test_what_hearths_own_image_does(text: str, files: dict[str, str]) -> None:
    assert needs(text, **files) is None


@pytest.mark.parametrize(
    ("text", "files", "wanted"),
    [
        ("import six.moves", {"requirements__txt": "six\n"}, ("requirements.txt", ())),
        (f"{BLOCK}def f():\n    from six import moves\n", {}, ("", ("six",))),
        (BLOCK, {"helper__py": ""}, ("", ("six",))),
        ("", {"pyproject__toml": PROJECT}, ("", ("six",))),
        ("", {"helper__py": ""}, ("", ())),
    ],
)
def test_what_takes_an_environment(
    text: str, files: dict[str, str], wanted: tuple[str, tuple[str, ...]]
) -> None:
    found = needs(f"{text}\n", **files)
    assert found is not None
    assert found.dependencies == Dependencies("pip", wanted[0], (*wanted[1], EVENTS))
    assert found.command == ("python", "-m", "hearth.pipelines.sdk")
