"""Programs that have to be compiled first: Go and Rust."""

from __future__ import annotations

import tomllib

from hearth.functions.detection.application import Application, DetectionError, Source

_PROGRAM = ".hearth/app"  # where the program is built to, from the folder


def detect_go(source: Source) -> Application | None:
    """Return what go.mod's main package runs; DetectionError where there are several or none."""
    if "go.mod" not in source.paths:
        return None
    mains = sorted({_folder(path) for path in source.paths if _is_go_main(source, path)})
    if not mains:
        raise DetectionError(f"{source.label} is a Go module without a `package main`")
    if len(mains) > 1 and "." not in mains:
        raise DetectionError(
            f"{source.label} has several programs ({', '.join(mains)}): say which with a Procfile, "
            f"`web: go run {mains[0]}`"
        )
    package = "." if "." in mains else mains[0]
    return Application(
        "go",
        (f"./{_PROGRAM}",),
        build=("go", "build", "-o", _PROGRAM, package),
        reasons=(f"go.mod, and `package main` in {package}",),
    )


def _is_go_main(source: Source, path: str) -> bool:
    if not path.endswith(".go") or path.endswith("_test.go") or path.startswith("vendor/"):
        return False
    lines = (line.split("//")[0].split() for line in source.text(path).splitlines())
    return ["package", "main"] in lines


def _folder(path: str) -> str:
    parent = path.rpartition("/")[0]
    return f"./{parent}" if parent else "."


def detect_rust(source: Source) -> Application | None:
    """Return what Cargo.toml's one program is; DetectionError where there are several or none."""
    if "Cargo.toml" not in source.paths:
        return None
    try:
        manifest = tomllib.loads(source.text("Cargo.toml"))
    except tomllib.TOMLDecodeError as error:
        raise DetectionError(f"{source.label}/Cargo.toml: {error}") from error
    names = [str(each.get("name")) for each in manifest.get("bin") or ()]
    package = manifest.get("package") or {}
    if "src/main.rs" in source.paths and not names:
        names = [str(package.get("default-run") or package.get("name"))]
    name = package.get("default-run") or (names[0] if len(names) == 1 else None)
    if name is None:
        found = f"several programs ({', '.join(names)})" if names else "no program"
        raise DetectionError(
            f"{source.label}/Cargo.toml has {found}: name one with `default-run` in [package]"
        )
    return Application(
        "rust",
        (f"./target/release/{name}",),
        build=("cargo", "build", "--release", "--bin", str(name)),
        reasons=(f"Cargo.toml has the program {name}",),
    )
