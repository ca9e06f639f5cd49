"""Templates: what fits a folder, what the code says, what a value may be, how files are filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.functions import drafting
from hearth.functions.detection.application import DetectionError
from hearth.functions.detection.detect import detect
from hearth.functions.drafting.drafting import chosen, defaults, refusal
from hearth.functions.drafting.service import drafted_service
from hearth.functions.drafting.templates import (
    Template,
    TemplateError,
    filled,
    first_group,
    read_template,
)


class Files:
    """A folder's files, without a folder."""

    label = "shop"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.paths = files.keys()

    def text(self, path: str) -> str:
        return self._files[path]


PACKS = Path(drafting.__file__).with_name("packs")
OWN = [
    read_template(
        folder.name,
        "hearth",
        {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()},
    )
    for folder in sorted(PACKS.iterdir())
]
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FOLDERS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("clojure", {"project.clj": "(defproject x)"}, {"VERSION": "21"}),
    (
        "csharp",
        {"Demo.Web.csproj": "<TargetFramework>net8.0</TargetFramework>"},
        {"VERSION": "8.0", "PROJECT": "Demo.Web.csproj", "ASSEMBLY": "Demo"},
    ),
    ("erlang", {"rebar.config": "{relx, [{release, {demo, []}, [x]}]}."}, {"RELEASE": "demo"}),
    ("go", {"main.go": "package main\n"}, {"PACKAGE": "."}),
    (
        "gomodule",
        {"go.mod": "module x\n\ngo 1.23.1\n", "cmd/app/main.go": "package main\n"},
        {"VERSION": "1.23", "PACKAGE": "./cmd/app"},
    ),
    ("gradle", {"build.gradle": "sourceCompatibility = '17'"}, {"VERSION": "17"}),
    ("gradlew", {"build.gradle.kts": "languageVersion = 21", "gradlew": ""}, {"VERSION": "21"}),
    ("java", {"pom.xml": "<java.version>17</java.version>"}, {"VERSION": "17"}),
    (
        "javascript",
        {"package.json": '{"scripts": {"start": "node a.js"}, "engines": {"node": ">=20"}}',
         "pnpm-lock.yaml": ""},
        {"VERSION": "20", "COMMAND": "node a.js",
         "INSTALL": "corepack enable && pnpm install --frozen-lockfile"},
    ),
    ("php", {"public/index.php": "", "composer.json": '{"require": {"php": "^8.2"}}'},
     {"VERSION": "8.2", "ROOT": "/public"}),
    (
        "python",
        {"app.py": FLASK, "requirements.txt": "flask\n", ".python-version": "3.12.4\n"},
        {"VERSION": "3.12", "FILES": "requirements.txt",
         "INSTALL": "pip install --no-cache-dir -r requirements.txt waitress",
         "COMMAND": "python -m waitress --listen=0.0.0.0:$PORT --threads=8 app:app"},
    ),
    ("python", {"job.py": "print(1)"}, {"INSTALL": "true", "COMMAND": "python job.py"}),
    (
        "python",
        {"main.py": "", "pyproject.toml": '[project]\ndependencies = ["httpx>=0.28"]\n'},
        {"INSTALL": "pip install --no-cache-dir 'httpx>=0.28'", "FILES": "."},
    ),
    ("ruby", {"Gemfile": "ruby '3.3.1'\n", "config.ru": ""},
     {"VERSION": "3.3.1", "COMMAND": "bundle exec rackup -o 0.0.0.0 -p $PORT"}),
    ("ruby", {"Gemfile": "", "Procfile": "web: bundle exec puma -p $PORT"},
     {"COMMAND": "bundle exec puma -p $PORT"}),
    ("rust", {"Cargo.toml": '[package]\nname = "demo"\n', "src/main.rs": ""}, {"BINARY": "demo"}),
    ("swift", {"Package.swift": '.executableTarget(\n  name: "demo")'}, {"BINARY": "demo"}),
    ("tomcat", {"pom.xml": "<packaging>war</packaging>"}, {"VERSION": "21"}),
    ("static", {"public/index.html": ""}, {"ROOT": "public"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "files", "known"), FOLDERS)
def test_what_the_code_says(name: str, files: dict[str, str], known: dict[str, str]) -> None:
    source = Files(files)
    template = chosen(source, OWN, None)[0]
    assert template.name == name
    found = defaults(source, template, "shop")
    assert found["PORT"] == "8080"
    assert {key: found[key] for key in known} == known
    written = filled(template, found)
    assert "{{" not in written["Dockerfile"]


def test_fifteen_languages_and_static_files() -> None:
    assert {name for name, _, _ in FOLDERS} == {each.name for each in OWN}
    assert len(OWN) == 16


@pytest.mark.parametrize("template", OWN, ids=lambda each: str(each.name))
def test_images_are_pinned_small_and_not_root(template: Template) -> None:
    text = template.files["Dockerfile"]
    bases = re.findall(r"(?m)^FROM (\S+)", text)
    assert len(bases) == (1 if template.name == "static" else 2)
    for base in bases:
        assert ":" in base and not base.endswith(":latest"), base
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"(?m)^USER [1-9]\d+:[1-9]\d+$", last)
    assert "PORT={{PORT}}" in last
    assert "EXPOSE {{PORT}}" in last
    assert re.search(r"(?m)^(CMD exec|CMD [A-Z_]+=\S+|ENTRYPOINT \[)", last) or template.name in (
        *("php", "static", "tomcat"),
    )
    assert "Dockerfile" not in template.files[".dockerignore"]  # `hearth deploy` reads it, too


def test_several_that_fit_are_all_told_of() -> None:
    source = Files({"app.py": FLASK, "package.json": "{}"})
    assert [each.name for each in chosen(source, OWN, None)] == ["python", "javascript"]
    assert [each.name for each in chosen(source, OWN, "rust")] == ["rust"]
    with pytest.raises(TemplateError, match="there is no template cobol; there are clojure, "):
        chosen(source, OWN, "cobol")
    with pytest.raises(TemplateError, match=r"no template fits shop: name one with --template"):
        chosen(Files({"x.bin": ""}), OWN, None)


def test_a_function_of_hearths_runners_has_no_dockerfile() -> None:
    assert "no Dockerfile has" in refusal(Files({"func.py": "def handle(request): ..."}))
    assert refusal(Files({"app.py": FLASK})) == ""


@pytest.mark.parametrize(("name", "files", "known"), FOLDERS)
def test_deploy_finds_the_same_beside_a_dockerfile(
    name: str, files: dict[str, str], known: dict[str, str]
) -> None:
    more = {"Dockerfile": "FROM x", ".dockerignore": "", "service.yaml": "kind: Service"}
    try:
        before = detect(Files(files)).kind
    except DetectionError:
        before = "Dockerfile"
    assert detect(Files({**files, **more})).kind == before


# -- reading and filling ---------------------------------------------------------------------------


def a_template(text: str = "port {{PORT}}\n", **files: str) -> Template:
    says = "variables:\n  PORT: {default: '80', pattern: '[0-9]+'}\n"
    return read_template("mine", "pack", {"template.yaml": says, "File": text, **files})


def test_a_value_is_one_line_that_fits() -> None:
    assert filled(a_template("{{PORT}} {{ PORT }} {{ .Values.x }}"), {"PORT": "81"}) == {
        "File": "81 81 {{ .Values.x }}"
    }
    for value, why in (("x", "does not fit"), ("1\nRUN rm", "one line"), ("81 ", "does not fit")):
        with pytest.raises(TemplateError, match=why):
            filled(a_template(), {"PORT": value})
    with pytest.raises(TemplateError, match="needs a value: --variable PORT=VALUE"):
        filled(a_template(), {})


@given(st.text(max_size=20))
def test_no_value_makes_a_second_line(value: str) -> None:
    template = read_template("m", "p", {"template.yaml": "variables: {A: {}}", "F": "x {{A}} y"})
    try:
        text = filled(template, {"A": value})["F"]
    except TemplateError:
        return
    assert "\n" not in text and text == f"x {value} y"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"template.yaml": "variables: {A: {defalt: 1}}"}, "variables.A.defalt: Extra inputs"),
        ({"template.yaml": "a: ["}, "template m of p: "),
        ({"template.yaml": "- x"}, "template m of p: "),
        ({"template.yaml": "", "F": "{{NAME}}"}, "F has NAME, which is no variable of it"),
        ({"draft.yaml": "variables: 3"}, "template m of p: "),
        ({"draft.yaml": "", "F": "{{ if .Config.X }}"}, "uses more of Go's templates"),
    ],
)
def test_a_template_that_cannot_be_read_is_named(files: dict[str, str], why: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(why)):
        read_template("m", "p", files)


def test_templates_of_draft_are_read() -> None:
    says = 'description: "x"\nvariables:\n- name: PORT\n  default: {value: 80}\n  kind: port\n'
    text = 'EXPOSE {{ .Config.GetVariableValue "PORT" }}\n'
    template = read_template("go", "draft", {"draft.yaml": says, "Dockerfile": text})
    assert template.says.variables["PORT"].default == "80"
    assert filled(template, {"PORT": "81"}) == {"Dockerfile": "EXPOSE 81\n"}


def test_patterns_are_matched_in_linear_time_and_refused_in_words() -> None:
    assert first_group("(a+)+$", "a" * 50_000 + "b") is None
    with pytest.raises(TemplateError, match="the pattern"):
        first_group("(", "x")


def test_a_drafted_service_has_limits_and_few_rights() -> None:
    [container] = drafted_service("shop", "x:1", "81")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 81}]
    assert container["resources"]["limits"] == {"memory": "512Mi"}
    assert container["securityContext"]["runAsNonRoot"] is True
