"""The entry point of ``hearth`` and ``python -m hearth.cli``.

A component, which is what pods run, starts without the command line's library: it has no options,
and the library is 1.4 MB and 40 ms in each pod.
"""

from __future__ import annotations

import os
import sys


def run() -> None:
    """Run what the arguments name; the process ends with its exit code."""
    match sys.argv[1:]:
        case ["run", name] if _is_component(name):
            from hearth.cli.run import run as run_component

            sys.exit(run_component(name, os.environ))
    from hearth.cli.main import run as run_command

    run_command()


def _is_component(name: str) -> bool:
    from hearth.cli.components import COMPONENTS

    return name in COMPONENTS


if __name__ == "__main__":
    run()
