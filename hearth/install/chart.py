"""Makes the Helm chart out of the rendered objects: the same objects, with expressions in them.

``python -m hearth.install.chart config`` writes ``config/helm/hearth``; a test fails when what is
there is not what would be written. Pure but for ``main``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from hearth.install import values
from hearth.install.kustomize import render
from hearth.install.order import identity
from hearth.install.valueschecks import schema
from hearth.kube.meta import Object, labels, name, namespace
from hearth.kube.yamltext import dumped

SIZES = ("small", "ha", "nodeport", "loadbalancer", "internal")
"""Overlays whose differences become values files beside the chart's own."""
_MARK = "@@{}@@"
_LINE = re.compile(r"^(?P<lead> *(?:- )?)(?P<key>[\w./-]+): '?@@(?P<value>[\w.-]+)@@'?$")
OPTIONAL = {
    "keda": (
        "keda",
        "Whether KEDA's kinds and their operator come along; not beside a KEDA of the cluster's.",
    ),
    "external-scaler": (
        "externalScaler",
        "Whether Hearth's gateway is the HTTP add-on of a KEDA of the cluster's.",
    ),
    "dispatchers": (
        "dispatchers",
        "Whether Brokers of NATS and Kafka have ingress and dispatcher pods of their own.",
    ),
    "pipelines": ("pipelines", "Whether pipelines come along: scripts in Python, by events."),
}
"""Components that are part of the chart and not installed unless that is asked for: their values,
and what ``enabled`` says there."""
KEEP = {"helm.sh/resource-policy": "keep"}
"""On what users' objects live in: uninstalling the chart leaves it."""
_KEPT = ("CustomResourceDefinition", "Namespace")

NOTES = """\
Hearth {{ .Chart.AppVersion }} is installed. Wait for it and find the gateway:

  kubectl -n knative-serving rollout status deployment/hearth-control deployment/hearth-activator
  kubectl -n knative-serving get service hearth-gateway
{{- if eq .Values.gateway.type "ClusterIP" }}

The gateway is reached inside the cluster only: lead an Ingress or a Gateway of your own to it.
{{- end }}

Then apply a Service whose image listens on $PORT and, with the gateway's address as GATEWAY:

  curl -H "Host: NAME.NAMESPACE.example.com" http://GATEWAY

Routes get the domain that config-domain names: set config.serving.config-domain.
"""


def chart_files(config: Path, version: str) -> dict[str, str]:
    """Return the chart's files by their names in its folder."""
    objects = render(config / "base")
    components = {each: config / "components" / each for each in OPTIONAL}
    defaults = values.values_of(render(config / "base", list(components.values())))
    files = {
        "Chart.yaml": _chart(version),
        "values.yaml": _values_text(defaults),
        "values.schema.json": json.dumps(_schema(defaults), indent=2) + "\n",
        "templates/NOTES.txt": NOTES,
    }
    for each in SIZES:
        sized = values.values_of(render(config / "base", [config / "components" / each]))
        files[f"values-{each}.yaml"] = dumped(_differences(defaults, sized))
    for title, members in _templates(objects).items():
        files[f"templates/{title}.yaml"] = "---\n".join(_template(obj) for obj in members)
    known = set(map(identity, objects))
    for component, folder in components.items():
        added = [obj for obj in render(config / "base", [folder]) if identity(obj) not in known]
        files |= _optional(component, added)
    return files


def _optional(component: str, objects: Sequence[Object]) -> dict[str, str]:
    """The templates of a component, which are empty where it is not asked for."""
    value, files = OPTIONAL[component][0], {}
    for title, members in _templates(objects).items():
        text = "---\n".join(_template(obj) for obj in members)
        title = f"{component}-{title.removeprefix(f'{component}-')}"
        files[f"templates/{title}.yaml"] = (
            f"{{{{- if .Values.{value}.enabled }}}}\n{text}{{{{- end }}}}\n"
        )
    return files


def _schema(defaults: values.Values) -> dict[str, Any]:
    """The schema of values, with what only a chart has: a component is chosen by a value."""
    found = schema(defaults)
    for value, about in OPTIONAL.values():
        found["properties"][value]["properties"]["enabled"] = {
            "description": about,
            "type": "boolean",
        }
    return found


def _chart(version: str) -> str:
    return dumped(
        {
            "apiVersion": "v2",
            "name": "hearth",
            "description": "Serving and eventing the Knative way, without sidecars",
            "type": "application",
            "version": version,
            "appVersion": version,
            "kubeVersion": ">=1.30.0-0",
        }
    )


def _templates(objects: Sequence[Object]) -> dict[str, list[Object]]:
    """A file for each component, and for definitions and ConfigMaps."""
    found: dict[str, list[Object]] = {}
    for obj in objects:
        found.setdefault(_file_of(obj), []).append(obj)
    return found


def _file_of(obj: Object) -> str:
    match obj["kind"]:
        case "CustomResourceDefinition":
            return "crds"
        case "ConfigMap":
            return f"config-{namespace(obj).removeprefix('knative-')}"
        case "Namespace":
            return "namespaces"
    return str(labels(obj)["app.kubernetes.io/name"])


# -- templates -------------------------------------------------------------------------------------


def _template(obj: Object) -> str:
    obj = deepcopy(obj)
    if obj["kind"] in _KEPT:
        obj["metadata"]["annotations"] = (obj["metadata"].get("annotations") or {}) | KEEP
    path, has_example = values.config_path(obj), values.EXAMPLE in (obj.get("data") or {})
    if path is not None:
        obj["data"] = {k: v for k, v in (obj.get("data") or {}).items() if k == values.EXAMPLE}
        if not has_example:
            del obj["data"]
    for setting in values.SETTINGS:
        for place in setting.places:
            if (place.kind, place.name) == (obj["kind"], name(obj)):
                values.put(obj, place.path, _MARK.format(setting.key))
    # What the objects say is no template: an example in config-network is one of Knative's own.
    text = dumped(obj).replace("{{", '{{ "{{" }}')
    text = "".join(_expression(line) for line in text.splitlines(keepends=True))
    return text + "".join(_data(path, has_example)) if path is not None else text


def _expression(line: str) -> str:
    found = _LINE.match(line.rstrip("\n"))
    if found is None:
        return line
    lead, key, value = found["lead"], found["key"], f".Values.{found['value']}"
    setting = f"{lead}{key}: {{{{ toJson {value} }}}}\n"
    return f'{{{{- if not (kindIs "invalid" {value}) }}}}\n{setting}{{{{- end }}}}\n'


def _data(path: tuple[str, ...], has_example: bool) -> Iterator[str]:
    """What is set of a ConfigMap, below its example where there is one."""
    project, title = path[1:]
    yield f'{{{{- with index .Values.config.{project} "{title}" }}}}\n'
    if not has_example:
        yield "data:\n"
    yield "{{- range $key, $text := . }}\n"
    yield "  {{ $key }}: {{ toJson $text }}\n"
    yield "{{- end }}\n{{- end }}\n"


# -- values ----------------------------------------------------------------------------------------


def _values_text(defaults: values.Values) -> str:
    """The values file: every setting with what it means above it."""
    about = {setting.key: setting.about for setting in values.SETTINGS}
    for value, text in OPTIONAL.values():
        about[f"{value}.enabled"] = text
        defaults = {**defaults, value: {"enabled": False, **defaults[value]}}
    lines, keys = [], list[str]()
    for line in dumped(defaults).splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        keys = [*keys[:depth], line.strip().partition(":")[0]]
        remark = about.pop(".".join(keys), None)
        if remark is not None:
            lines.append(f"{'  ' * depth}# {remark}")
        lines.append(line)
    return "\n".join(lines) + "\n"


def _differences(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest values that make the one of the other."""
    found: dict[str, Any] = {}
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping):
            inner = _differences(below[key], value)
            if inner:
                found[key] = inner
        elif value != below.get(key):
            found[key] = value
    return found


def main(config: Path, version: str) -> None:
    """Write the chart, and remove what is no longer of it."""
    folder, files = config / "helm" / "hearth", chart_files(config, version)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for title, text in files.items():
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    from importlib.metadata import version

    main(Path(sys.argv[1]), version("hearth-serving"))
