"""Options that several commands have, and the state folder that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli import completion, names

Name = Annotated[
    str, typer.Option(envvar="HEARTH_NAME", help="Which Hearth, where several run side by side.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        envvar="HEARTH_DATA_DIR", help="State folder. Default: one for each --name in your home."
    ),
]

Namespace = Annotated[
    str,
    typer.Option("--namespace", "-n", help="Namespace.", autocompletion=completion.namespace_names),
]
ServiceName = Annotated[
    str, typer.Argument(help="Name of a Service.", autocompletion=completion.service_names)
]

Kubeconfig = Annotated[
    Path | None, typer.Option(help="Of the cluster. Default: KUBECONFIG, ~/.kube/config.")
]
ClusterOrHere = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Of a cluster, instead of this machine.")
]


def folder_of(data_dir: Path | None, name: str) -> Path:
    """Return the folder that was named, else that of the Hearth with this name."""
    return data_dir.expanduser().absolute() if data_dir else names.data_dir_of(name)
