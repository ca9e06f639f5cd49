"""What Knative's func has that Hearth does another way: refused by name, with what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from hearth.cli.errors import UserError

INSTEAD = {
    "remote": "Hearth builds where it is called and not in the cluster: leave --remote out",
    "git_url": "Hearth builds a folder: clone the repository and deploy that",
    "builder": "no builder is needed: leave --builder out, or `hearth deploy --build Dockerfile`",
    "deployer": "Hearth deploys Knative Services alone; `hearth deploy IMAGE` runs any image",
    "username": "what `docker login` keeps is used, credential helpers too: leave it out",
}

Remote = Annotated[bool, typer.Option("--remote", "-R", hidden=True)]
GitUrl = Annotated[str, typer.Option("--git-url", "-g", hidden=True)]
Builder = Annotated[str, typer.Option("--builder", "-b", hidden=True)]
Deployer = Annotated[str, typer.Option("--deployer", hidden=True)]
Username = Annotated[str, typer.Option("--username", "--password", "--token", hidden=True)]


def refuse(**given: object) -> None:
    """Raise UserError for the first option that is given and done another way here."""
    for name, value in given.items():
        if value and (name, value) not in (("deployer", "knative"), ("builder", "host")):
            raise UserError(INSTEAD[name])
