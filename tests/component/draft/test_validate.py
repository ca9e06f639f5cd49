"""`hearth validate`: what is said of manifests, charts and kustomizations, and where."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from hearth.cli import main
from hearth.cli.draft.kinds import Kinds
from hearth.cli.draft.manifests import Read
from hearth.cli.errors import UserError
from hearth.functions.drafting.practice import practice

ROOT = Path(__file__).resolve().parents[3]

BAD = """\
# a comment
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: shop
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/min-scale: "5"
        autoscaling.knative.dev/max-scale: "2"
    spec:
      containers:
        - image: ghcr.io/me/shop:1
          imagePulPolicy: Always
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, name: e}
spec:
  replicas: three
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: so}
spec:
  scaleTargetRef: {name: d2}
  triggers: [{type: nonsense, metadata: {}}]
---
kind: Foo
apiVersion: example.com/v1
metadata: {name: foo}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: t}
spec:
  broker: default
  subscriber: {}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: ok}
  data:
    n: 3
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: two-ports}
spec:
  template:
    spec:
      containers:
        - image: ghcr.io/me/shop:1
          ports: [{containerPort: 80}, {containerPort: 81}]
---
x: [
"""
EXPECTED = {
    (11, "error", "max-scale=2 is less than min-scale=5"),
    (15, "error", 'unknown field "spec.template.spec.containers[0].imagePulPolicy"'),
    (19, "error", 'key "name" already set in map'),
    (21, "error", "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"),
    (23, "error", "no scaler found for type: nonsense"),
    (30, "hint", "nothing is known of example.com/v1 Foo: it was not checked"),
    (39, "error", "expected at least one, got none: spec.subscriber.ref, spec.subscriber.uri"),
    (47, "error", "cannot unmarshal number into Go struct field ConfigMap.data"),
    (58, "error", "more than one container port is set: spec.template.spec.containers[*].ports"),
    (60, "error", "did not find expected node content"),
}


def validate(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main.app, ["validate", *arguments], input=text)


def findings(*arguments: str, text: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(validate(*arguments, "-o", "json", text=text).stdout)[
        "findings"
    ]
    return found


def test_what_a_server_refuses_with_its_line() -> None:
    found = findings("-", text=BAD)
    shown = {(each["line"], each["level"], each["message"]) for each in found}
    for line, level, message in EXPECTED:
        assert any(
            (at, what) == (line, level) and message in said for at, what, said in shown
        ), (line, message, sorted(shown))  # fmt: skip
    errors = [each for each in found if each["level"] == "error"]
    assert len(errors) == len([each for each in EXPECTED if each[1] == "error"])


def test_it_is_told_as_compilers_tell(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = validate(str(path))
    assert done.exit_code == 1
    assert f'{path}:15: error: Service shop: unknown field "spec' in done.stdout
    assert "memory-limit: one pod can take all of a node's memory" in done.stdout
    assert "9 errors" in done.stdout.splitlines()[-1]


GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: fine}
data: {A_TOKEN: "x"}
"""


def test_exit_codes_and_what_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert validate(str(path)).exit_code == 0
    assert validate(str(path), "--strict").exit_code == 1
    assert validate(str(path), "--strict", "--ignore", "secret-in-value").exit_code == 0
    path.write_text(
        GOOD.replace("fine}", "fine, annotations: {hearth.dev/ignore: secret-in-value}}")
    )
    done = validate(str(path), "--strict")
    assert (done.exit_code, done.stdout) == (0, "1 object in 1 file: nothing is wrong\n")
    for arguments, why in (
        ((str(path), "--ignore", "x"), "there is no rule x; there are blocking-budget"),
        ((str(tmp_path / "no"),), "there is no file or folder"),
    ):
        error = validate(*arguments).exception
        assert isinstance(error, UserError) and why in str(error)
    assert "secret-in-value" in validate("--list").stdout


OURS = """\
apiVersion: servicebinding.io/v1
kind: ServiceBinding
metadata: {name: b}
spec:
  service: {apiVersion: v1, kind: Secret, name: db}
  workload: {apiVersion: apps/v1, kind: Deployment, name: x, selector: {matchLabels: {a: b}}}
---
apiVersion: sources.hearth.dev/v1alpha1
kind: WebhookSource
metadata: {name: w}
spec: {sender: nobody, secrets: []}
"""


def test_kinds_of_our_own_are_asked_their_own_checks() -> None:
    found = [each for each in findings("-", text=OURS) if each["level"] == "error"]
    assert {each["object"] for each in found} == {"ServiceBinding b", "WebhookSource w"}
    assert {6, 11} <= {each["line"] for each in found}


def test_a_definition_beside_its_objects_is_gone_by() -> None:
    crd = (ROOT / "crds" / "serving.knative.dev_domainmappings.yaml").read_text()
    crd = crd.replace("serving.knative.dev", "example.com").replace("DomainMapping", "Door")
    crd = crd.replace("domainmapping", "door")
    door = "apiVersion: example.com/v1beta1\nkind: Door\nmetadata: {name: x}\nspec: {ref: 3}\n"
    found = findings("-", text=f"{crd}\n---\n{door}")
    assert [each["message"] for each in found if each["object"] == "Door x"] == [
        'Invalid value: "integer": spec.ref in body must be of type object: "integer"'
    ]


@pytest.mark.parametrize("folder", ["samples", "config/serving", "config/eventing", "crds"])
def test_our_own_have_no_error(folder: str) -> None:
    found = findings(str(ROOT / folder))
    assert [each for each in found if each["level"] == "error"] == []


def test_bombs_and_depths_are_refused() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]\n"
    [found] = findings("-", text=f"apiVersion: v1\nkind: X\n{bomb}")
    assert "excessive aliasing" in found["message"]
    [found] = findings("-", text="apiVersion: v1\nkind: X\na: " + "[" * 5000)
    assert "max depth" in found["message"]


# -- whatever is given -----------------------------------------------------------------------------

SAMPLES = [
    obj
    for path in sorted((ROOT / "samples").rglob("*.yaml"))
    for obj in yaml.safe_load_all(path.read_text())
    if isinstance(obj, dict) and "kind" in obj
]
VALUES: list[Any] = [
    *(None, True, -1, 2.5, "", "x", "{{"),
    *([], {}, [None], [{}], {"a": None}, {"name": 3}, {"containers": 3}),
]
KINDS = Kinds()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Each holder in a value with a key or an index in it."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value) if isinstance(value, list) else 0)
    )
    found = [(value, key) for key in keys]
    return found + [each for holder, key in found for each in _places(holder[key])]


@pytest.mark.parametrize("field", ["containers", "initContainers", "volumes"])
def test_null_in_a_list_of_a_pod_is_no_reason_to_fail(field: str) -> None:
    """The API takes it for an empty object."""
    pod: dict[str, list[Any]] = {
        "containers": [{"name": "a", "image": "a", "env": [None], "ports": [None]}]
    }
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
    pod[field] = [*pod.get(field, []), None]
    assert "memory-limit" in {rule.name for rule, _ in practice(obj, [obj])}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False), st.sampled_from(VALUES))
def test_no_object_is_too_much(sample: dict[str, Any], chance: Random, value: Any) -> None:
    obj = deepcopy(sample)
    holder, key = chance.choice(_places(obj))
    holder[key] = deepcopy(value)
    if KINDS.kind(obj) is not None:
        answer = KINDS.answer(obj, "default")
        found = list(practice(obj, [obj, *SAMPLES[:5]])) if answer.is_typed else []
        assert all(each.message for each in answer.refusals)
        assert all(what for _, (_, what) in found)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*#'\"\n |>!%\t", max_size=60))
def test_no_text_is_too_much(text: str) -> None:
    read = Read()
    read.add("x", f"apiVersion: v1\nkind: X\n{text}".encode())
    assert all(each.line >= 1 and each.why for each in read.unread)
    assert all(each.line_of("a.b[0].c") >= 1 for each in read.documents)


# -- charts and kustomizations ---------------------------------------------------------------------

HELM = f"""\
#!{sys.executable}
import sys
import helm_python as helm
_, command, name, chart, _, namespace = sys.argv
try:
    with helm.Chart.load(chart) as loaded:
        files = loaded.render({{}}, name=name, namespace=namespace)
except helm.HelmError as error:
    sys.exit(f"Error: {{error}}")
for title, text in files.items():
    if title.endswith(".yaml") and text.strip():
        print(f"---\\n# Source: {{title}}\\n{{text}}")
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("token: x\n")
    (folder / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n"
        "data: {A_TOKEN: {{ .Values.token | quote }}}\n"
    )
    return folder


def test_a_chart_is_rendered_by_helm(
    chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    [found] = findings(str(chart))
    assert "a chart is rendered by helm, which is not on the PATH" in found["message"]
    (programs / "helm").write_text(HELM)
    (programs / "helm").chmod(0o755)
    [found] = findings(str(tmp_path))
    assert (found["rule"], found["file"]) == ("secret-in-value", f"{chart}/templates/map.yaml")
    (chart / "templates" / "map.yaml").write_text("{{ .Values.x.y.z }}")
    [found] = findings(str(chart))
    assert found["level"] == "error" and "nil pointer" in found["message"]


def test_a_kustomization_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(GOOD)
    (tmp_path / "values.yaml").write_text("not: an object\n")
    kustomization = tmp_path / "kustomization.yaml"
    kustomization.write_text("resources: [map.yaml]\nlabels: [{pairs: {a: b}}]\n")
    assert [each["rule"] for each in findings(str(tmp_path))] == ["secret-in-value"]
    kustomization.write_text("resources: [nothing.yaml]\n")
    [found] = findings(str(tmp_path))
    assert found["level"] == "error" and "nothing.yaml" in found["message"]
    kustomization.unlink()
    assert [each["line"] for each in findings(str(tmp_path))] == [4]


def test_defaults_are_those_of_a_server() -> None:
    kinds = Kinds()
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"template": {"spec": {"containers": [{"image": "x:1"}]}}},
    }
    full = kinds.defaulted(service, "default")
    assert full["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    assert full["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert full["metadata"]["namespace"] == "default"
    with pytest.raises(ValueError, match="nothing is known"):
        kinds.defaulted({"apiVersion": "x/v1", "kind": "X", "metadata": {}}, "default")
