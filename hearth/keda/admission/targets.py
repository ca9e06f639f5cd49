"""What a reference to a scale target means: its kind in full, as KEDA's messages name it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.api.checks import CheckError
from hearth.keda.api.scaledobject import ScaleTarget
from hearth.kube.gotext import quote

_KNOWN = ("Deployment", "StatefulSet")
"""Kinds whose resource is not looked up."""


@dataclass(frozen=True, slots=True)
class TargetKind:
    """Group, version and kind."""

    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        """Return it as messages and the status have it: apps/v1.Deployment."""
        return f"{self.group}/{self.version}.{self.kind}"

    @property
    def api_version(self) -> str:
        """Group and version as objects have them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_looked_up(self) -> bool:
        """Whether the API server has to say that there is such a kind."""
        return self.kind not in _KNOWN

    def missing(self) -> CheckError:
        """The refusal where there is none."""
        return CheckError(
            f"no matches for kind {quote(self.kind)} in version {quote(self.api_version)}"
        )


def target_kind(api_version: str, kind: str) -> TargetKind:
    """Return the kind of a reference, whose parts may be left out: a Deployment of apps/v1."""
    group, slash, version = (api_version or "apps/v1").partition("/")
    if "/" in version:
        raise CheckError(f"unexpected GroupVersion string: {api_version}")
    if not slash:
        group, version = "", group
    return TargetKind(group, version, kind or "Deployment")


def kind_of(target: ScaleTarget) -> TargetKind:
    """Return the kind of a ScaledObject's target."""
    return target_kind(target.api_version, target.kind)
