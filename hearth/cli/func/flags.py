"""Flags and variables that Knative's func has on every command, and those that are no use here.

What Hearth does another way is refused by name, with what to do; what has nothing to say here is
taken and passed over. ``FUNC_NAMESPACE`` and the like set what the flags do, as in func.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.models import OptionInfo

from hearth.cli.errors import UserError

_HEARTHS = ("name", "data_dir", "kubeconfig", "env", "output", "help")
"""Parameters whose variables func has not."""
_PASSED_OVER = {"verbose": "v", "all": "a", "push": "u", "build": ""}
"""With their short forms."""
_LOGIN = "what `docker login` keeps is used, credential helpers too: leave it out"
_BUILT = "no builder is needed: leave it out, or `hearth deploy --build Dockerfile`"
_REMOTE = "Hearth builds where it is called and not in the cluster: leave it out"
_GIT = "Hearth builds a folder: clone the repository and deploy that"
_INSTEAD = {
    "confirm": ("c", "nothing is asked here: leave --confirm out"),
    "builder": ("b", _BUILT),
    "builder-image": ("", _BUILT),
    "build-timestamp": ("", "images are the same for the same code: leave it out"),
    "remote": ("R", _REMOTE),
    "remote-storage-class": ("", _REMOTE),
    "pvc-size": ("", _REMOTE),
    "git-url": ("g", _GIT),
    "git-branch": ("t", _GIT),
    "git-dir": ("d", _GIT),
    "deployer": ("", "Hearth deploys Knative Services alone; `hearth deploy IMAGE` runs any image"),
    "image": (
        "i",
        "an image is named by --registry and the function; `hearth deploy IMAGE` runs one",
    ),
    "image-pull-secret": ("", "write it in func.yaml: deploy.imagePullSecret"),
    "management-disabled": ("", "there is no operator that would manage it: leave it out"),
    "registry-insecure": (
        "",
        "a registry on loopback needs no TLS; have the system trust any other: leave it out",
    ),
    "registry-authfile": ("", _LOGIN),
    "username": ("", _LOGIN),
    "password": ("", _LOGIN),
    "token": ("", _LOGIN),
    "insecure": ("i", "trust the authority of its certificate, or invoke an http:// URL"),
}
_SAME = {("deployer", "knative"), ("builder", "host")}
"""What is asked for and done."""
_FLAGS = {
    *("build-timestamp", "confirm", "remote", "management-disabled", "registry-insecure"),
    *("insecure", *_PASSED_OVER),
}
_PUSHING = ("registry-authfile", "registry-insecure", "username", "password", "token")
_OF = {
    "create": ("confirm",),
    "build": ("confirm", "builder", "builder-image", "build-timestamp", "image", "push"),
    "run": ("confirm", "builder", "builder-image", "image", "build"),
    "deploy": (
        *("confirm", "builder", "builder-image", "build-timestamp", "deployer", "git-url"),
        *("git-branch", "git-dir", "image", "image-pull-secret", "management-disabled", *_PUSHING),
        *("pvc-size", "remote", "remote-storage-class", "build", "push"),
    ),
    "invoke": ("confirm", "insecure"),
    "delete": ("confirm", "all"),
}


def as_funcs(*apps: typer.Typer) -> None:
    """Give all commands of these what func has everywhere."""
    for app in apps:
        for command in app.registered_commands:
            assert command.callback is not None
            title = command.name or command.callback.__name__
            command.callback = _as_funcs(command.callback, title)


def _as_funcs(function: Callable[..., Any], title: str) -> Callable[..., Any]:
    """The same, with more parameters, which it is not told of."""
    own, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
    known = [each.replace(annotation=_named(n, hints[n])) for n, each in own.parameters.items()]
    taken = {text for each in known for text in _texts(each.annotation)}
    more = [each for each in ("verbose", *_OF.get(title, ())) if each not in own.parameters]
    added = [_parameter(each, taken) for each in more]

    @functools.wraps(function)
    def called(**given: Any) -> Any:
        for each in more:
            _refuse(each, given[each.replace("-", "_")])
        return function(**{name: given[name] for name in own.parameters})

    parameters = [*known, *added]
    called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def _named(name: str, hint: Any) -> Any:
    """A parameter's annotation with func's variable, where that has one."""
    if name in _HEARTHS or not _options(hint) or _options(hint)[0].envvar:
        return hint
    option = copy.copy(_options(hint)[0])
    long = next((t for t in option.param_decls or () if t.startswith("--")), f"--{name}")
    option.envvar = f"FUNC_{long[2:].upper().replace('-', '_')}"
    return Annotated[get_args(hint)[0], option]


def _options(hint: Any) -> list[OptionInfo]:
    return [each for each in get_args(hint)[1:] if isinstance(each, OptionInfo)]


def _texts(hint: Any) -> list[str]:
    return [text for option in _options(hint) for text in option.param_decls or ()]


def _parameter(name: str, taken: set[str]) -> inspect.Parameter:
    short = f"-{_PASSED_OVER.get(name) or _INSTEAD.get(name, ('',))[0]}"
    words = [f"--{name}", *([short] if len(short) > 1 and short not in taken else [])]
    option = typer.Option(*words, hidden=True)
    kind = bool if name in _FLAGS else str
    return inspect.Parameter(
        name.replace("-", "_"),
        inspect.Parameter.KEYWORD_ONLY,
        default=kind(),
        annotation=Annotated[kind, option],
    )


def _refuse(name: str, value: bool | str) -> None:
    """Raise UserError where it is given and done another way here."""
    if value and name in _INSTEAD and (name, value) not in _SAME:
        raise UserError(f"--{name}: {_INSTEAD[name][1]}")
