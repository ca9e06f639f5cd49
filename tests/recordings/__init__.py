"""Where the recordings of real clusters lie, for every test that holds ours against them.

They are part of the repository: where one is absent, reading it fails, and so does the test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
REPLAY = FOLDER / "replay.py"
KUBERNETES_EXCHANGES = FOLDER / "kubernetes" / "exchanges.jsonl"
SERVING_EXCHANGES = FOLDER / "knative" / "exchanges-serving.jsonl"
EVENTING_EXCHANGES = FOLDER / "knative" / "exchanges-eventing.jsonl"
SERVING_REFUSALS = FOLDER / "knative" / "refusals-serving.jsonl"
SERVING_DEPLOYMENTS = FOLDER / "knative" / "deployments-serving.jsonl"
TEMPLATES = FOLDER / "knative" / "templates.jsonl"
SERVING_WORLD = FOLDER / "knative" / "world-serving"
EVENTING_WORLD = FOLDER / "knative" / "world-eventing"
CESQL = FOLDER / "cesql"


def exchanges(file: Path) -> list[dict[str, Any]]:
    """The recorded requests and answers of one file, in the order in which they were made."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def scenarios(folder: Path) -> list[Path]:
    """The YAML files of a folder, by name; FileNotFoundError where there is none."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"no recorded scenario in {folder}")
    return files
