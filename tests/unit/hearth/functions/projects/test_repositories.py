from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.functions.projects.repositories import (
    RepositoryError,
    Template,
    project_of,
    templates,
)

HEALTH = "healthEndpoints: {liveness: /live, readiness: /ready}\n"


def listed(files: dict[str, str]) -> dict[tuple[str, str], Template]:
    return {(t.language, t.name): t for t in templates(files, files.__getitem__)}


def test_languages_hold_templates_which_hold_files() -> None:
    found = listed(
        {
            "README.md": "",
            "python/README.md": "",
            "python/hello/function/func.py": "def handle(): pass",
            "python/hello/.gitignore": "",
            "python/hello/manifest.yaml": "invoke: cloudevent",
            "go/hello/handle.go": "package function",
            "go/scaffolding/main.go": "",
            "certs/ca/one.pem": "",
            ".github/workflows/ci.yaml": "",
            "go/.hidden/x": "",
        }
    )
    assert set(found) == {("python", "hello"), ("go", "hello")}
    assert found["python", "hello"].files == {
        "function/func.py": "python/hello/function/func.py",
        ".gitignore": "python/hello/.gitignore",
    }


def test_the_innermost_manifest_counts() -> None:
    files = {
        "manifest.yaml": f"templates: ./inside\nrunEnvs: [{{name: A, value: top}}]\n{HEALTH}",
        "inside/node/manifest.yaml": "runEnvs: [{name: A, value: language}]\n",
        "inside/node/one/index.js": "",
        "inside/node/two/manifest.yaml": "invoke: cloudevent\nrunEnvs: [{name: A, value: two}]\n"
        "buildpacks: [some]\n",
        "node/outside/index.js": "",
    }
    found = listed(files)
    assert set(found) == {("node", "one"), ("node", "two")}
    one, two = (project_of(found["node", name], "shop", "now") for name in ("one", "two"))
    assert (one.runtime, one.name, one.invoke, one.build) == ("node", "shop", None, None)
    assert [env.value for env in one.run.envs] == ["language"]
    assert one.deploy.health is not None and one.deploy.health.liveness == "/live"
    assert [env.value for env in two.run.envs] == ["two"]
    assert (two.invoke, two.build) == ("cloudevent", {"buildpacks": ["some"]})


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("manifest.yaml", "templates: [", "manifest.yaml: "),
        ("manifest.yaml", "- templates", "manifest.yaml is no mapping"),
        ("manifest.yaml", "templates: 3", "templates: a folder is named by a text"),
        ("go/one/manifest.yaml", "invoke: [x", "go/one/manifest.yaml: "),
        ("go/one/../../../etc/passwd", "", "no path of a project"),
        ("go/one/.git/hooks/post-checkout", "", "no path of a project"),
    ],
)
def test_what_cannot_be_used_is_named(path: str, text: str, why: str) -> None:
    with pytest.raises(RepositoryError) as raised:
        listed({"go/one/main.go": "", path: text})
    assert why in str(raised.value)


@pytest.mark.parametrize("text", ["invoke: ftp", "runEnvs: [{name: '1 x'}]", "healthEndpoints: 3"])
def test_a_manifest_that_func_yaml_cannot_say_is_named(text: str) -> None:
    [template] = listed({"go/one/main.go": "", "go/one/manifest.yaml": text}).values()
    with pytest.raises(RepositoryError, match=r"manifest\.yaml of go/one: "):
        project_of(template, "shop", "now")


names = st.text(st.sampled_from("ab./"), min_size=1, max_size=12)


@given(st.lists(names, max_size=8))
def test_no_file_leaves_the_project(paths: list[str]) -> None:
    try:
        found = templates(paths, lambda path: "")
    except RepositoryError:
        return
    for template in found:
        for path in template.files:
            assert not {"", ".", ".."} & set(path.split("/"))
