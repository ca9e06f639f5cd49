"""``hearth ui``: what may be typed, and the page of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from hearth.cli.errors import UserError
from hearth.cli.options import ClusterOrHere, DataDir, Name, folder_of
from hearth.cli.state import running_state

if TYPE_CHECKING:
    from hearth.ui.sessions import Role


def ui(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let the page change nothing.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open it, too.")] = True,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Open the live page: services, pods, events and logs as they happen.

    The address is good once, for two minutes. Of a cluster the page is served until Ctrl-C, with
    the rights of the kubeconfig.
    """
    from hearth.cli.page.showing import show
    from hearth.ui.sessions import Role

    role = Role.READER if read_only else Role.WRITER
    if kubeconfig is not None:
        from hearth.cli.page.cluster import serve

        serve(kubeconfig, role, browser=browser)
        return
    show(address_here(folder_of(data_dir, name), role), browser=browser)


def address_here(data_dir: Path, role: Role) -> str:
    """Return an address that opens the page of the Hearth that runs on a folder."""
    from hearth.cli.page.showing import address
    from hearth.ui.sessions import Sessions

    state = running_state(data_dir)
    secret = state.get("pageSecret")
    if not secret:
        raise UserError(
            "this Hearth was started by an older version: `hearth down`, then `hearth up`"
        )
    return address(Sessions(secret), role, urlsplit(state["gateway"]).port or 80)
