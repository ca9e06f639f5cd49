"""What is printed for programs: JSON and YAML, as Knative's func has them."""

from __future__ import annotations

import json
from typing import Any

import yaml

from hearth.cli.errors import UserError


def is_printed(said: Any, output: str, *others: str) -> bool:
    """Print it where ``output`` is json or yaml; False where it is human or one of others.

    Raises UserError for any other.
    """
    if output == "json":
        print(json.dumps(said, indent=2))
    elif output == "yaml":
        print(yaml.safe_dump(said, sort_keys=False), end="")
    elif output in ("human", *others):
        return False
    else:
        raise UserError(
            f"--output {output!r}: give {', '.join(('human', *others, 'json'))} or yaml"
        )
    return True
