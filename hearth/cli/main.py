"""The ``hearth`` command: its commands, in groups, and how it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from hearth.cli import clustercommands, completion, machinecommands
from hearth.cli.deploy.command import deploy
from hearth.cli.deploy.servicecommands import (
    delete,
    describe,
    open_service,
    rollback,
    rollout,
)
from hearth.cli.draft.command import export, init, validate
from hearth.cli.errors import UserError
from hearth.cli.eventcommands import event_app
from hearth.cli.func.command import func_app
from hearth.cli.imagecommands import image_app
from hearth.cli.options import folder_of
from hearth.cli.page.command import ui
from hearth.cli.pipelines.command import pipeline_app
from hearth.cli.pipelines.runcommands import run_app
from hearth.cli.scalecommands import scale_app
from hearth.cli.simulatecommand import simulate

_GROUPS: Mapping[str, Mapping[str, Callable[..., Any] | typer.Typer]] = {
    "Begin": {
        "up": machinecommands.up,
        "deploy": deploy,
        "demo": machinecommands.demo,
    },
    "Services": {
        "rollout": rollout,
        "rollback": rollback,
        "describe": describe,
        "open": open_service,
        "logs": machinecommands.logs,
        "delete": delete,
        "scale": scale_app,
        "simulate": simulate,
        "bindings": machinecommands.bindings,
    },
    "Functions, events, pipelines": {
        "func": func_app,
        "event": event_app,
        "pipeline": pipeline_app,
        "run": run_app,
    },
    "How things are": {
        "status": machinecommands.status,
        "top": machinecommands.top,
        "ui": ui,
        "doctor": machinecommands.doctor,
    },
    "Files and images": {
        "init": init,
        "validate": validate,
        "export": export,
        "image": image_app,
        "build": machinecommands.build,
    },
    "This machine": {
        "down": machinecommands.down,
        "reset": machinecommands.reset,
        "completion": machinecommands.print_completion,
        "version": machinecommands.version,
    },
    "A cluster": {
        "install": clustercommands.install,
        "uninstall": clustercommands.uninstall,
        "migrate": clustercommands.migrate_app,
    },
}
"""What ``hearth --help`` shows, in this order."""


class _InOrder(TyperGroup):
    """Commands and groups of commands in the order in which they were added."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for group in _GROUPS.values() for name in group]


app = typer.Typer(
    name="hearth",
    cls=_InOrder,
    help="Serving, functions and eventing the Knative way, on one machine and on any Kubernetes. "
    "Begin with: hearth up, or in a cluster: hearth install",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _panel, _commands in _GROUPS.items():
    for _name, _what in _commands.items():
        if isinstance(_what, typer.Typer):
            app.add_typer(_what, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_what)

_FOLDER_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.ENOENT),
)


def _alone() -> None:
    from hearth.cli.nextstep import show_next_step

    data_dir = os.environ.get("HEARTH_DATA_DIR")
    name = os.environ.get("HEARTH_NAME") or "default"
    show_next_step(folder_of(Path(data_dir) if data_dir else None, name))


def run() -> None:
    """Entry point: errors the user can mend are one line, without a traceback."""
    completion.prepare()
    try:
        if len(sys.argv) == 1 and sys.stdout.isatty():
            _alone()
        else:
            app()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in _FOLDER_ERRORS:
            raise
        print(f"Error: {error.filename or 'state folder'}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
