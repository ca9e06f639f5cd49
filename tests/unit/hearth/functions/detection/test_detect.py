"""What is recognised in a folder, why, and what is said of what is not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hearth.functions.detection.application import Application, Dependencies, DetectionError
from hearth.functions.detection.detect import detect


@dataclass(frozen=True)
class Files:
    """A folder that is only told of."""

    files: dict[str, str]
    label: str = "shop"

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(self.files)

    def text(self, path: str) -> str:
        return self.files[path]


def found(**files: str) -> Application:
    """Detection's answer; ``__`` stands for a dot and ``___`` for a slash in names of files."""
    named = {name.replace("___", "/").replace("__", "."): text for name, text in files.items()}
    return detect(Files(named))


FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n"
PORT = "$PORT"


@pytest.mark.parametrize(
    ("files", "kind", "command"),
    [
        ({"Procfile": "web: ./serve --fast\n"}, "procfile", ("./serve", "--fast")),
        (
            {"Procfile": "release: x\nweb: gunicorn -b :$PORT app:app\n", "app__py": FLASK},
            "procfile",
            ("gunicorn", "-b", ":$PORT", "app:app"),
        ),
        ({"Procfile": "web: x $PORTS"}, "procfile", ("/bin/sh", "-c", "exec x $PORTS")),
        ({"Procfile": "web: A=1 x && y"}, "procfile", ("/bin/sh", "-c", "A=1 x && y")),
        ({"func__py": "async def handle(r): ..."}, "function", ("func.py", "handle", "request")),
        ({"main__py": ""}, "python", ("python", "main.py")),
        ({"app__py": "", "server__py": ""}, "python", ("python", "app.py")),
        ({"hello__py": "print(1)"}, "python", ("python", "hello.py")),
        ({"package__json": '{"scripts": {"start": "node s.js"}}'}, "node", ("node", "s.js")),
        (
            {"package__json": '{"scripts": {"start": "next start"}}'},
            "node",
            ("npm", "start", "--silent"),
        ),
        (
            {
                "package__json": '{"scripts": {"start": "faas-js-runtime ./i.js"}, "dependencies":'
                '{"faas-js-runtime": "^3"}}'
            },
            "node",
            ("/bin/sh", "-c", 'export FUNC_PORT="$PORT"; exec npm start --silent'),
        ),
        ({"package__json": "{}", "index__js": ""}, "node", ("node", "index.js")),
        (
            {"pyproject__toml": '[project]\nname="a"\nscripts={serve="a:main"}'},
            "python",
            ("serve",),
        ),
        ({"go__mod": "module x", "main__go": "// x\npackage main // y"}, "go", ("./.hearth/app",)),
        (
            {"Cargo__toml": '[package]\nname = "shop"', "src___main__rs": ""},
            "rust",
            ("./target/release/shop",),
        ),
        ({"public___index__html": "<p>"}, "static", ("public",)),
        ({"Dockerfile": "FROM scratch"}, "Dockerfile", ()),
    ],
)
def test_what_runs_a_folder(files: dict[str, str], kind: str, command: tuple[str, ...]) -> None:
    application = found(**files)
    assert (application.kind, application.command) == (kind, command)
    assert application.reasons


@pytest.mark.parametrize(
    ("files", "framework", "target", "added"),
    [
        ({"app__py": FLASK}, "Flask", "app:app", ("waitress",)),
        ({"app__py": FLASK, "requirements__txt": "Flask\nGunicorn>=2"}, "Flask", "app:app", ()),
        ({"main__py": FASTAPI, "uv__lock": ""}, "FastAPI", "main:api", ("uvicorn",)),
        ({"src___shop___app__py": FASTAPI}, "FastAPI", "shop.app:api", ("uvicorn",)),
        ({"lonely__py": FLASK}, "Flask", "lonely:app", ("waitress",)),
        ({"main__py": "from app import app", "app__py": FLASK}, "Flask", "app:app", ("waitress",)),
        (
            {"manage__py": "", "site___wsgi__py": "", "site___asgi__py": ""},
            "Django",
            "site.wsgi:application",
            ("waitress",),
        ),
        (
            {
                "manage__py": "",
                "site___wsgi__py": "",
                "site___asgi__py": "",
                "requirements__txt": "hypercorn",
            },
            "Django",
            "site.asgi:application",
            (),
        ),
    ],
)
def test_an_application_object_gets_a_server(
    files: dict[str, str], framework: str, target: str, added: tuple[str, ...]
) -> None:
    application = found(**files)
    assert application.framework == framework
    assert target in application.command
    assert any(PORT in word for word in application.command)
    assert (application.dependencies.added if application.dependencies else ()) == added


def test_a_script_may_name_its_packages_itself() -> None:
    """Inline script metadata, as the PyPA's specification of it shows."""
    script = (
        "# /// script\n# requires-python = '>=3.11'\n# dependencies = [\n#   'rich',\n# ]\n# ///\n"
    )
    assert found(hello__py=script).dependencies == Dependencies("pip", "", ("rich",))
    assert found(hello__py=script + FLASK).dependencies == Dependencies(
        "pip", "", ("rich", "waitress")
    )


GOOGLE = "import functions_framework\n@functions_framework.{kind}\ndef hello(x): ...\n"


@pytest.mark.parametrize(
    ("files", "framework", "command"),
    [
        ({"handler__py": "def handle(event, context): ..."}, "OpenFaaS",
         ("handler.py", "handle", "openfaas")),
        ({"handler__py": "def handle(req): ..."}, "OpenFaaS", ("handler.py", "handle", "text")),
        ({"hello__py": "def hello(event, context): ..."}, "kubeless",
         ("hello.py", "hello", "kubeless")),
        ({"hello__py": "'Says hello.'\ndef main(): ..."}, "Fission",
         ("hello.py", "main", "fission")),
        ({"hello__py": "def main(): ...\nmain()"}, "", ("python", "hello.py")),
        ({"main__py": GOOGLE.format(kind="cloud_event")}, "functions-framework",
         ("functions-framework", "--target=hello", "--signature-type=cloudevent",
          "--host=0.0.0.0")),
    ],
)  # fmt: skip
def test_functions_of_others(
    files: dict[str, str], framework: str, command: tuple[str, ...]
) -> None:
    application = found(**files)
    assert (application.framework, application.command) == (framework, command)


def test_a_project_of_knative_func() -> None:
    """Its own package is found in the folder, so that nothing has to be built."""
    files = {
        "func.yaml": "runtime: python\ninvoke: cloudevent\n",
        "function/__init__.py": "",
        "pyproject.toml": "[project]\nname='function'\ndependencies=['httpx']",
    }
    application = detect(Files(files))
    assert (application.runner, application.command) == ("knativefunc", ("function", "cloudevent"))
    assert application.dependencies == Dependencies("pip", "", ("httpx", "func-python>=0.8,<1"))
    del files["function/__init__.py"]
    with pytest.raises(DetectionError, match="no package `function`"):
        detect(Files(files))
    assert detect(Files({"func.yaml": "runtime: node", "index.html": ""})).kind == "static"
    for wrong in ("[", "- a"):
        with pytest.raises(DetectionError, match=r"func.yaml"):
            detect(Files({"func.yaml": wrong}))


@pytest.mark.parametrize(
    ("files", "tool", "file"),
    [
        ({"requirements__txt": "x"}, "pip", "requirements.txt"),
        ({"uv__lock": "", "requirements__txt": "x"}, "uv", "uv.lock"),
        ({"poetry__lock": ""}, "poetry", "poetry.lock"),
        ({"pyproject__toml": "[project]\ndependencies=['x']"}, "pip", "pyproject.toml"),
        ({"pyproject__toml": "[tool.poetry.dependencies]\nx='1'"}, "pip", "pyproject.toml"),
    ],
)
def test_what_installs_python_packages(files: dict[str, str], tool: str, file: str) -> None:
    assert found(main__py="", **files).dependencies == Dependencies(tool, file)


@pytest.mark.parametrize(
    ("files", "tool"), [({}, "npm"), ({"pnpm-lock.yaml": ""}, "pnpm"), ({"yarn.lock": ""}, "yarn")]
)
def test_what_installs_node_packages(files: dict[str, str], tool: str) -> None:
    package = '{"dependencies": {"express": "*"}, "main": "s.js"}'
    application = detect(Files({"package.json": package, "s.js": "", **files}))
    assert application.dependencies == Dependencies(tool, "package.json")
    assert application.framework == "Express"


def test_one_of_several_programs() -> None:
    """The one at the root, or the one that is named."""
    main = "package main"
    assert "." in found(go__mod="", main__go=main, cmd___a___m__go=main).build
    manifest = '[package]\nname="x"\ndefault-run="b"\n[[bin]]\nname="a"\n[[bin]]\nname="b"'
    assert found(Cargo__toml=manifest).command == ("./target/release/b",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "add a Procfile"),
        ({"README__md": ""}, "shop holds nothing"),
        ({"Procfile": "worker: x"}, "no line `web: COMMAND`"),
        ({"Procfile": "web: a 'b"}, "cannot be read"),
        ({"requirements__txt": ""}, "without an entry"),
        ({"package__json": "{}"}, "neither a start script nor a main file"),
        ({"package__json": "{"}, "shop/package.json"),
        ({"package__json": "[]"}, "no object"),
        ({"func__py": "x = 1"}, "neither handle"),
        ({"func__py": "def"}, "line 1"),
        ({"main__py": "def"}, "shop/main.py, line 1"),
        ({"pyproject__toml": "x"}, "shop/pyproject.toml"),
        ({"hello__py": "# /// script\n# x\n# ///\n"}, "hello.py, its script block"),
        (
            {"main__py": FASTAPI, "app__py": FLASK},
            "more than one application: main:api and app:app",
        ),
        ({"go__mod": "", "x__go": "package x"}, "without a `package main`"),
        (
            {"go__mod": "", "cmd___a___m__go": "package main", "cmd___b___m__go": "package main"},
            r"several programs \(./cmd/a, ./cmd/b\)",
        ),
        ({"Cargo__toml": "[package]\nname='x'"}, "no program"),
        ({"Cargo__toml": "[[bin]]\nname='a'\n[[bin]]\nname='b'"}, r"several programs \(a, b\)"),
        ({"Cargo__toml": "["}, "shop/Cargo.toml"),
    ],
)
def test_what_cannot_be_run_says_what_is_missing(files: dict[str, str], message: str) -> None:
    with pytest.raises(DetectionError, match=message):
        found(**files)


def test_a_dockerfile_beside_code_is_named_and_chosen_by_build() -> None:
    both = Files({"main.py": "", "Dockerfile": "FROM scratch", "docker/Dockerfile": ""})
    by_code = detect(both)
    assert by_code.kind == "python"
    assert "Dockerfile is there, too: --build Dockerfile builds that" in by_code.reasons
    assert detect(both, "code").reasons == ("main.py is run as a program",)
    assert detect(both, "dockerfile").dockerfile == "Dockerfile"
    assert detect(both, "docker/Dockerfile").dockerfile == "docker/Dockerfile"
    with pytest.raises(DetectionError, match=r"has no Dockerfile\.dev: --build takes code"):
        detect(both, "Dockerfile.dev")


def test_a_dockerfile_serves_where_the_code_does_not_say_how_it_runs() -> None:
    files = {"requirements.txt": "flask", "Containerfile": "FROM scratch"}
    application = detect(Files(files))
    assert application.dockerfile == "Containerfile"
    assert "without an entry" in application.reasons[0]
    with pytest.raises(DetectionError, match="without an entry"):
        detect(Files(files), "code")
    with pytest.raises(DetectionError, match="nothing that Hearth recognises"):
        detect(Files({"Dockerfile": ""}), "code")


def test_a_build_script_takes_the_packages_of_development_and_runs() -> None:
    package = '{"scripts": {"build": "tsc", "start": "node b.js"}, "devDependencies": {"t": "1"}}'
    application = found(package__json=package, pnpm___lock__yaml="")
    assert application.build == ("npm", "run", "build")
    assert application.dependencies == Dependencies("npm", "package.json", with_dev=True)
    assert (
        found(package__json='{"scripts": {"start": "x"}, "devDependencies": {"t": "1"}}').build
        == ()
    )
