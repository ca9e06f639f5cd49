"""The built-in kinds: their schemas, rules and tables. Called once by the API server's start."""

from __future__ import annotations

from collections.abc import Sequence

from hearth.cluster.apiserver.kind import Kind


def builtin_kinds() -> Sequence[Kind]:
    """Every built-in kind, one entry for each served version."""
    from hearth.cluster.apiserver.kinds import catalog

    return catalog.KINDS
