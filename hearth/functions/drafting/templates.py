"""Templates of files: what they ask, how they are filled. Data alone; nothing of them is run.

A template is a folder with a ``template.yaml`` and the files that it writes, in which ``{{NAME}}``
stands for a variable. One of Azure's Draft, with a ``draft.yaml``, is read as well. Patterns are
matched by RE2, in linear time, as they may be a stranger's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

FILE, DRAFT_FILE = "template.yaml", "draft.yaml"
_VARIABLE = re.compile(
    r'\{\{ *(?:\.Config\.GetVariableValue +"(?P<draft>[A-Z][A-Z0-9_]*)"|(?P<name>[A-Z][A-Z0-9_]*))'
    r" *\}\}"
)
_OF_DRAFT = ("PORT", "APPNAME", "NAMESPACE", "IMAGENAME")


class TemplateError(ValueError):
    """A template or a value that cannot be; the text names it and says why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Found(_Strict):
    """A value that the code has: ``pattern``'s first group in a file, or ``value`` where it is.

    In ``value``, ``$file`` is the file's path and ``$stem`` its name without what follows a dot.
    """

    file: str
    pattern: str = ""
    value: str = ""


class Variable(_Strict):
    """What is asked. ``fact`` is what Hearth's detection knows; ``pattern`` has to fit."""

    about: str = ""
    default: str | None = None
    fact: str = ""
    found: list[Found] = Field(default_factory=list)
    pattern: str = ""


class Fits(_Strict):
    """One way in which a folder fits: all of these files are there, with these texts in them."""

    files: list[str]
    texts: dict[str, str] = Field(default_factory=dict)


class TemplateFile(_Strict):
    """``template.yaml``. Of templates that fit, the one with the lowest ``order`` is taken."""

    about: str = ""
    order: int = 50
    detect: list[Fits] = Field(default_factory=list)
    variables: dict[str, Variable] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """A template of a pack; ``files`` are texts by their paths in the folder that is drafted."""

    name: str
    pack: str
    says: TemplateFile
    files: Mapping[str, str]

    @property
    def has_manifests(self) -> bool:
        """Whether it brings objects of its own."""
        return any(path.endswith((".yaml", ".yml", ".tpl")) for path in self.files)


def read_template(name: str, pack: str, files: Mapping[str, str]) -> Template:
    """Return the template of a folder's files; TemplateError says what is wrong with it."""
    rest = {path: text for path, text in files.items() if path not in (FILE, DRAFT_FILE)}
    try:
        if FILE in files:
            says = TemplateFile.model_validate(yaml.safe_load(files[FILE]) or {})
        else:
            says = _of_draft(yaml.safe_load(files[DRAFT_FILE]) or {})
    except (ValidationError, yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise TemplateError(f"template {name} of {pack}: {_told(error)}") from error
    template = Template(name, pack, says, rest)
    for path, text in rest.items():
        _check(template, path, text)
    return template


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
    return str(error)


def _of_draft(content: Mapping[str, Any]) -> TemplateFile:
    """What a draft.yaml says; a variable whose default is another's is asked for."""
    variables = {}
    for each in content.get("variables") or ():
        default = (each.get("default") or {}).get("value")
        about = str(each.get("description") or "")
        text = None if default is None else str(default)
        variables[str(each["name"])] = Variable(about=about, default=text)
    return TemplateFile(about=str(content.get("description") or ""), variables=variables)


def _check(template: Template, path: str, text: str) -> None:
    unknown = {each for each in _names(text) if each not in template.says.variables}
    if unknown:
        raise TemplateError(
            f"template {template.name} of {template.pack}: {path} has "
            f"{', '.join(sorted(unknown))}, which is no variable of it"
        )
    if ".Config." in _VARIABLE.sub("", text):
        raise TemplateError(
            f"template {template.name} of {template.pack}: {path} uses more of Go's templates than "
            "variables, which is not understood here"
        )


def _names(text: str) -> set[str]:
    return {found["draft"] or found["name"] for found in _VARIABLE.finditer(text)}


def filled(template: Template, values: Mapping[str, str]) -> dict[str, str]:
    """Return the files with values for variables; TemplateError where one lacks or does not fit."""
    for name, variable in template.says.variables.items():
        if name not in values:
            raise TemplateError(f"template {template.name} needs a value: --variable {name}=VALUE")
        _check_value(name, values[name], variable)
    return {
        path: _VARIABLE.sub(lambda found: values[found["draft"] or found["name"]], text)
        for path, text in template.files.items()
    }


def _check_value(name: str, value: str, variable: Variable) -> None:
    if "\n" in value or "\r" in value or "\0" in value:
        raise TemplateError(f"{name} has to be one line")
    if variable.pattern and not fits(f"^(?:{variable.pattern})$", value):
        raise TemplateError(f"{name} is {value!r}, which does not fit {variable.pattern}")


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, in linear time."""
    return first_group(pattern, text) is not None


def first_group(pattern: str, text: str) -> str | None:
    """Return what a pattern's first group has found in a text, else all that it has found."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.compile(f"(?m){pattern}", options).search(text)
    except re2.error as error:
        raise TemplateError(f"the pattern {pattern!r}: {error}") from error
    if found is None:
        return None
    return str(found.group(1) if found.re.groups else found.group(0))
