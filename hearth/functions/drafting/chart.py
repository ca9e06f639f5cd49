"""A Helm chart of objects: what can be set of them are values, all else is as it was exported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from hearth.functions.drafting.parameters import Parameter, file_of, put, with_parameters
from hearth.kube.meta import Object, name
from hearth.kube.yamltext import dumped

_MARK = "@@hearth:{}@@"
_LABELS = "@@hearth:labels@@"
_LINE = re.compile(r"^(?P<lead> *(?:- )?)(?P<key>[^ ]+): ['\"]?@@hearth:(?P<number>\d+)@@['\"]?$")
_OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance")
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")

_HELPERS = """\
{{/* The chart's name and version, as a label has them. */}}
{{- define "CHART.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Labels of all objects. */}}
{{- define "CHART.labels" -}}
helm.sh/chart: {{ include "CHART.chart" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
"""
_SECRET = """\
{{{{- $given := index .Values.secrets "{name}" }}}}
{{{{- if compact (values $given) }}}}
{head}stringData:
{{{{- range $key, $text := $given }}}}
  {{{{ $key }}}}: {{{{ required (printf "secrets.{name}.%s has to be given" $key) $text | quote }}}}
{{{{- end }}}}
{{{{- end }}}}
"""
_NOTES = """\
{{ .Chart.Name }} is installed in namespace {{ .Release.Namespace }}.
"""
_NOTES_SERVICES = """
Where it is reached, once it is ready:

  kubectl -n {{{{ .Release.Namespace }}}} get services.serving.knative.dev {names}
"""
_NOTES_SECRETS = """
{{- range $name, $keys := .Values.secrets }}
{{- if not (compact (values $keys)) }}

The Secret {{ $name }} was not made, as no values were given. It has to be there:

  kubectl -n {{ $.Release.Namespace }} create secret generic {{ $name }}
    {{- range $key, $_ := $keys }} --from-literal={{ $key }}=...{{ end }}
{{- end }}
{{- end }}
"""
Values = dict[str, Any]


def chart_files(title: str, objects: Sequence[Object]) -> dict[str, str]:
    """Return a chart's files by their paths in its folder; objects have no namespace."""
    values: Values = {}
    schema: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}
    files, about = {}, dict[tuple[str, ...], str]()
    for obj, found in with_parameters(objects):
        place = f"templates/{file_of(obj)}"
        if obj["kind"] == "Secret":
            values.setdefault("secrets", {})[name(obj)] = dict.fromkeys(obj.get("data") or {}, "")
            files[place] = _secret(title, obj)
            continue
        for each in found:
            put(values, each.keys, each.value)
            about[each.keys] = each.about
        files[place] = _template(title, obj, found)
    services = [name(obj) for obj in objects if _is_service(obj)]
    schema |= _schema(values, about, ())
    return {
        "Chart.yaml": _chart(title, objects),
        "values.yaml": _values_text(values, about),
        "values.schema.json": json.dumps(schema, indent=2) + "\n",
        ".helmignore": ".git/\n.DS_Store\n*.swp\n*.orig\n",
        "templates/_helpers.tpl": _HELPERS.replace("CHART", title),
        "templates/NOTES.txt": _notes(services, "secrets" in values),
        **files,
    }


def _is_service(obj: Object) -> bool:
    return obj["kind"] == "Service" and str(obj["apiVersion"]).startswith("serving.")


def _chart(title: str, objects: Sequence[Object]) -> str:
    kinds = ", ".join(sorted({str(obj["kind"]) for obj in objects}))
    content = {
        "apiVersion": "v2",
        "name": title,
        "description": f"{title}: {kinds}",
        "type": "application",
        "version": "0.1.0",
    }
    return dumped(content)


# -- templates -------------------------------------------------------------------------------------


def _template(title: str, obj: Object, found: Sequence[Parameter]) -> str:
    obj = _labelled(obj)
    for number, each in enumerate(found):
        put(obj, each.path, _MARK.format(number))
    return "".join(_line(title, line, found) for line in _text(obj).splitlines())


def _labelled(obj: Object) -> Object:
    """The object with a mark where the chart's labels go, and without its own of these names."""
    obj = deepcopy(obj)
    kept = {k: v for k, v in (obj["metadata"].get("labels") or {}).items() if k not in _OF_HELM}
    first = {"name": obj["metadata"].pop("name"), "labels": {_LABELS: None, **kept}}
    obj["metadata"] = first | {k: v for k, v in obj["metadata"].items() if k != "labels"}
    return obj


def _text(obj: Object) -> str:
    """The object as YAML in which nothing is taken for an expression."""
    return dumped(obj).replace("{{", '{{ "{{" }}')


def _line(title: str, line: str, found: Sequence[Parameter]) -> str:
    if _LABELS in line:
        return f'    {{{{- include "{title}.labels" . | nindent 4 }}}}\n'
    match = _LINE.match(line)
    if match is None:
        return f"{line}\n"
    each = found[int(match["number"])]
    value = _reached(each.keys)
    form = "quote" if isinstance(each.value, str) else "toJson"
    form += r' | trimAll "\"" | quote' if each.is_annotation and form == "toJson" else ""
    setting = f"{match['lead']}{match['key']}: {{{{ {value} | {form} }}}}\n"
    if isinstance(each.value, str):
        return setting
    return f'{{{{- if not (kindIs "invalid" {value}) }}}}\n{setting}{{{{- end }}}}\n'


def _reached(keys: Sequence[str]) -> str:
    """The expression for a value; a key that is no name of Go's is looked up."""
    if all(_PLAIN.match(key) for key in keys):
        return ".Values." + ".".join(keys)
    return f"(index .Values {' '.join(json.dumps(key) for key in keys)})"


def _secret(title: str, obj: Object) -> str:
    head = _labelled(
        {key: value for key, value in obj.items() if key not in ("data", "stringData")}
    )
    text = "".join(_line(title, line, ()) for line in _text(head).splitlines())
    return _SECRET.format(name=name(obj), head=text)


def _notes(services: Sequence[str], has_secrets: bool) -> str:
    text = _NOTES + (_NOTES_SERVICES.format(names=" ".join(services)) if services else "")
    return text + (_NOTES_SECRETS if has_secrets else "")


# -- values ----------------------------------------------------------------------------------------


def _values_text(values: Values, about: Mapping[tuple[str, ...], str]) -> str:
    """The values with what they mean above them."""
    lines = [] if "secrets" not in values else [_ABOUT_SECRETS]
    lines += _value_lines({k: v for k, v in values.items() if k == "secrets"}, about, ())
    lines += _value_lines({k: v for k, v in values.items() if k != "secrets"}, about, ())
    return "\n".join(lines) + "\n" if lines else "{}\n"


_ABOUT_SECRETS = "# Values of Secrets. One without any is not made here: it has to be there."


def _value_lines(
    values: Values, about: Mapping[tuple[str, ...], str], at: tuple[str, ...]
) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        place, indent = (*at, key), "  " * len(at)
        if about.get(place):
            lines.append(f"{indent}# {about[place]}")
        if isinstance(value, dict) and value and place not in about:
            lines += [f"{indent}{key}:", *_value_lines(value, about, place)]
        else:
            lines += [f"{indent}{line}" for line in dumped({key: value}).splitlines()]
    return lines


def _schema(
    value: Any, about: Mapping[tuple[str, ...], str], at: tuple[str, ...]
) -> dict[str, Any]:
    if isinstance(value, dict) and at not in about:
        found = {key: _schema(inner, about, (*at, key)) for key, inner in value.items()}
        is_open = not at or at[-1] == "env" or at[0] == "secrets"
        return {"type": "object", "properties": found, "additionalProperties": is_open}
    kind = ["string"] if isinstance(value, str) else ["integer", "string", "null"]
    if at[-1] == "resources":
        kind = ["object", "null"]
    if at[:1] == ("secrets",) or "env" in at:
        kind = ["string", "number", "boolean", "null"]
    return {"type": kind, **({"description": about[at]} if about.get(at) else {})}
