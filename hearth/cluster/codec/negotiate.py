"""Content negotiation: what the Accept header asks for, what a Content-Type says. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.cluster.model import status

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
OFFERED = (JSON, YAML, PROTOBUF)
"""As Kubernetes lists them in its answers. Protobuf is named for clients' sake, never spoken."""


@dataclass(frozen=True, slots=True)
class Output:
    """The form of an answer; ``shape`` is Table, PartialObjectMetadata(List) or empty."""

    media: str = JSON
    shape: str = ""
    shape_group: str = ""
    shape_version: str = ""

    @property
    def shape_api_version(self) -> str:
        """``meta.k8s.io/v1``: the version in which the shape was asked for."""
        return f"{self.shape_group}/{self.shape_version}"

    @property
    def content_type(self) -> str:
        """The Content-Type of an answer in this form."""
        return self.media


PLAIN = Output()
_META_SHAPES = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}


def parse_media(clause: str) -> tuple[str, dict[str, str]]:
    """``application/json;as=Table`` as media type and parameters."""
    media, *rest = clause.split(";")
    pairs = (part.partition("=") for part in rest)
    return media.strip().lower(), {key.strip(): value.strip() for key, _, value in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """The clauses of an Accept header, best first; equal ones in their order."""
    clauses = [parse_media(clause) for clause in accept.split(",") if clause.strip()]
    return sorted(clauses, key=lambda clause: -_quality(clause[1]))


def negotiate(accept: str) -> Output:
    """The first clause that can be served; 406 when there is none."""
    if accept in ("", "*/*", JSON):
        return PLAIN
    for media, parameters in _clauses(accept):
        output = _output(media, parameters)
        if output is not None:
            return output
    raise status.not_acceptable(OFFERED)


def _output(media: str, parameters: dict[str, str]) -> Output | None:
    if media in (JSON, "*/*", "application/*"):
        chosen = JSON
    elif media == YAML:
        chosen = YAML
    else:
        return None
    shape = parameters.get("as", "")
    if not shape:
        return Output(chosen)
    group, version = parameters.get("g", ""), parameters.get("v", "")
    if shape in _META_SHAPES and group == "meta.k8s.io" and version in ("v1", "v1beta1"):
        return Output(chosen, shape, group, version)
    if shape == "APIGroupDiscoveryList" and group == "apidiscovery.k8s.io":
        return Output(chosen, shape, group, version) if version in ("v2", "v2beta1") else None
    return None
