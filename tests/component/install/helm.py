"""Runs a real Helm on a chart, for the tests beside it: ``python helm.py CHART < requests``.

In a process of its own, because Helm is a Go library and its threads do not go with forks. A
request is a JSON object of values; the answer has what lint says, and for each request the objects
or the error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import helm_python as helm
import yaml


def rendered(chart: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        chart.validate_schema(values)
        files: dict[str, str] = chart.render(values, name="hearth", namespace="default")
    except helm.HelmError as error:
        return {"error": str(error)}
    objects = [
        document
        for title, text in files.items()
        if title.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    notes = next(text for title, text in files.items() if title.endswith("NOTES.txt"))
    return {"objects": objects, "notes": notes}


def main() -> None:
    found = helm.lint(sys.argv[1])
    with helm.Chart.load(sys.argv[1]) as chart:
        answers = [rendered(chart, values) for values in json.load(sys.stdin)]
    json.dump({"lint": found, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
