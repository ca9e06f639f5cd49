"""Which cluster the commands about clusters speak to."""

from __future__ import annotations

import os
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.state import running_state
from hearth.kube.access import Access
from hearth.kube.kubeconfig import access_of


def access(kubeconfig: Path | None) -> Access:
    """Return what a kubeconfig names: the given one, that of KUBECONFIG, or kubectl's own."""
    named = os.environ.get("KUBECONFIG")
    path = kubeconfig or Path(named or "~/.kube/config").expanduser()
    try:
        return access_of(path)
    except FileNotFoundError as error:
        raise UserError(
            f"there is no {path}: name a cluster's kubeconfig with --kubeconfig or KUBECONFIG"
        ) from error
    except ValueError as error:
        raise UserError(str(error)) from error


def access_of_either(kubeconfig: Path | None, data_dir: Path) -> Access:
    """Return the cluster that a kubeconfig names; without one, the Hearth of a state folder."""
    if kubeconfig is not None:
        return access(kubeconfig)
    try:
        state = running_state(data_dir)
    except UserError as error:
        raise UserError(f"{error}; for a cluster, name its kubeconfig with --kubeconfig") from error
    return access_of(Path(state["kubeconfig"]))
