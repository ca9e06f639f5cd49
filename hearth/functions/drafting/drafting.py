"""Which template fits a folder, and what the code says about its variables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from hearth.functions.deploying.settings import service_name
from hearth.functions.detection import python
from hearth.functions.detection.application import Application, DetectionError, Source
from hearth.functions.detection.detect import detect
from hearth.functions.drafting.templates import Found, Template, TemplateError, first_group, fits

PORT = "8080"


def fitting(source: Source, templates: Sequence[Template]) -> list[Template]:
    """Return the templates that fit a folder, the best first."""
    found = [each for each in templates if any(_fits(source, way.files, way.texts)
                                               for way in each.says.detect)]  # fmt: skip
    return sorted(found, key=lambda each: each.says.order)


def _fits(source: Source, files: Sequence[str], texts: Mapping[str, str]) -> bool:
    return all(list(_paths(source, each)) for each in files) and all(
        any(fits(pattern, source.text(path)) for path in _paths(source, each))
        for each, pattern in texts.items()
    )


def _paths(source: Source, pattern: str) -> Iterator[str]:
    """The files that a pattern names: as it stands, or at the top only where it has no folder."""
    for path in sorted(source.paths):
        if fnmatchcase(path, pattern) and path.count("/") == pattern.count("/"):
            yield path


def chosen(source: Source, templates: Sequence[Template], name: str | None) -> list[Template]:
    """Return the template that is used, and those that would fit as well; TemplateError if none."""
    if name is None:
        found = fitting(source, templates)
        if found:
            return found
        raise TemplateError(
            f"no template fits {source.label}: name one with --template; hearth init --list shows "
            "them"
        )
    for each in templates:
        if each.name == name:
            return [each]
    known = ", ".join(each.name for each in templates)
    raise TemplateError(f"there is no template {name}; there are {known}")


# -- variables -------------------------------------------------------------------------------------


def defaults(source: Source, template: Template, label: str) -> dict[str, str]:
    """Return what is known of a template's variables: what the code says, else their defaults."""
    facts = _facts(source, label)
    found = {}
    for name, variable in template.says.variables.items():
        value = facts.get(variable.fact) or next(_values(source, variable.found), None)
        value = variable.default if value is None else value
        if value is not None:
            found[name] = value
    return found


def _values(source: Source, entries: Sequence[Found]) -> Iterator[str]:
    for each in entries:
        for path in _paths(source, each.file):
            value = first_group(each.pattern, source.text(path)) if each.pattern else ""
            if value is not None:
                stem = path.rpartition("/")[2].partition(".")[0]
                shown = each.value.replace("$file", path).replace("$stem", stem)
                yield shown or value
                break


def _facts(source: Source, label: str) -> dict[str, str]:
    """What Hearth's detection says: how it is started, what has to be installed for it."""
    facts = {"name": service_name(label), "port": PORT}
    application = _detected(source)
    if application is None:
        return facts
    if application.command and not application.runner:
        facts["command"] = command(application)
    if application.build:
        facts["package"] = application.build[-1]
    return facts | _python_facts(source, application)


def _detected(source: Source) -> Application | None:
    try:
        return detect(source)
    except DetectionError:
        return None


def command(application: Application) -> str:
    """Return a command as a line of a shell, in which $PORT is the port."""
    words = application.command
    if words[:2] == ("/bin/sh", "-c"):
        return words[2].removeprefix("exec ")
    quoted = (word if "$PORT" in word and "'" not in word else shlex.quote(word) for word in words)
    return " ".join(quoted)


def _python_facts(source: Source, application: Application) -> dict[str, str]:
    needs = application.dependencies
    if needs is None or needs.tool not in ("pip", "uv", "poetry"):
        return {}
    files = {"requirements.txt": ("requirements.txt", "-r requirements.txt")}
    place, install = files.get(needs.file, (".", "."))
    if needs.file == "pyproject.toml" and "build-system" not in source.text("pyproject.toml"):
        install = shlex.join(python.named(source))
    words = ("pip install --no-cache-dir", install if needs.file else "", shlex.join(needs.added))
    return {"python-files": place, "python-install": " ".join(word for word in words if word)}


def refusal(source: Source) -> str:
    """Return why no Dockerfile can run what a folder holds; "" where one can."""
    application = _detected(source)
    if application is None or application.runner in ("", "static"):
        return ""
    return (
        f"{source.label} is {application.label}: Hearth's own runner calls it, which no Dockerfile "
        "has. `hearth deploy` needs none, and with --registry makes an image of it"
    )
