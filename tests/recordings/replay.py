#!/usr/bin/env python3
"""Sends recorded exchanges to an API server and shows where it answers differently.

Usage: replay.py KUBECONFIG [EXCHANGES.jsonl] [--only TEXT] [--verbose] [--min PERCENT] [--json OUT]

Needs Python 3.11 and PyYAML, nothing of this repository. The exchanges of a file tell one story in
order, in the namespace ``golden``, which must not exist at the start and is deleted by the last
exchange. README.md beside this file says what a line of a file holds.

An exchange counts as equal when status code, body (managed fields included) and warnings are equal.
The exit code is 1 when fewer than ``--min`` percent are.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KUBERNETES_EXCHANGES = Path(__file__).resolve().parent / "kubernetes" / "exchanges.jsonl"
TIMEOUT_SECONDS = 30
SHOWN_DIFFERENCES = 3

Difference = tuple[str, Any, Any]
"""A path in the answer, the recorded value, the value of the server under test."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GENERATED_NAME = re.compile(r"gen-[a-z0-9]{5}")
_CHOSEN_UID = "1111"  # the beginning of a uid that a request names itself
_FREE_TEXT = ("discovery /version", "discovery /livez?verbose")  # of a build, not of the protocol
_DISCOVERED = ("groups", "resources")


# -- comparison ----------------------------------------------------------------------------------


def normalized(value: Any, key: str = "") -> Any:
    """The value with what differs from run to run replaced by tokens such as ``<uid>``."""
    if isinstance(value, dict):
        return {name: normalized(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [normalized(child, key) for child in value]
    if key == "resourceVersion" and value not in ("", None):
        return "<resourceVersion>"
    return _normalized_text(value, key) if isinstance(value, str) else value


def _normalized_text(text: str, key: str) -> str:
    if _TIME.fullmatch(text):
        return "<time>"
    if key == "continue" and text:
        return "<continue>"
    if key in ("clusterIP", "clusterIPs") and text not in ("None", ""):
        return "<ip>"
    if key == "token":
        return "<token>"
    if key == "uid" and _UID.fullmatch(text):
        return "<uid>"
    if key == "name" and _GENERATED_NAME.fullmatch(text):
        return "gen-<random>"
    return _UID.sub(lambda m: m[0] if m[0].startswith(_CHOSEN_UID) else "<uid>", text)


def differences(
    recorded: Any, got: Any, path: str = "", unstable: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """Where two answers differ, without the paths that controllers race for."""
    if path in unstable:
        return
    if isinstance(recorded, dict) and isinstance(got, dict):
        for key in sorted(set(recorded) | set(got)):
            yield from differences(
                recorded.get(key, "(absent)"), got.get(key, "(absent)"), f"{path}/{key}", unstable
            )
    elif isinstance(recorded, list) and isinstance(got, list) and len(recorded) == len(got):
        for index, (one, other) in enumerate(zip(recorded, got, strict=True)):
            yield from differences(one, other, f"{path}/{index}", unstable)
    elif recorded != got:
        yield path or "/", recorded, got


def shared_discovery(recorded: Any, got: Any) -> tuple[Any, Any]:
    """Both answers cut to the names they share: servers differ in the kinds they serve."""
    if not (isinstance(recorded, dict) and isinstance(got, dict)):
        return recorded, got
    for key in _DISCOVERED:
        if key in recorded and key in got:
            names = {entry["name"] for entry in recorded[key]} & {
                entry["name"] for entry in got[key]
            }
            recorded, got = (_only(names, answer, key) for answer in (recorded, got))
    return recorded, got


def _only(names: set[str], answer: dict[str, Any], key: str) -> dict[str, Any]:
    kept = [
        {field: value for field, value in entry.items() if field != "storageVersionHash"}
        for entry in answer[key]
        if entry["name"] in names
    ]
    return {**answer, key: sorted(kept, key=lambda entry: str(entry["name"]))}


# -- the server under test -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; status 0 when it did not, with the reason as text."""

    status: int
    content_type: str
    text: str
    warnings: list[str]

    def body(self, *, is_watch: bool) -> Any:
        """The decoded body; a watch's is a list of its events, anything but JSON is text."""
        try:
            if is_watch and self.status == 200:
                return [json.loads(line) for line in self.text.splitlines() if line]
            return json.loads(self.text) if "json" in self.content_type else self.text
        except ValueError:
            return self.text


class Server:
    """The API server that a kubeconfig's current context names."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        self._url = str(cluster["server"]).rstrip("/")
        self._token = user.get("token")
        self._tls = _tls(cluster, user) if self._url.startswith("https") else None

    def send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], *, auth: bool
    ) -> Answer:
        """One request; redirects and errors of HTTP are answers like others."""
        sent = dict(headers)
        if auth and self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url + path, data, sent, method=method)
        try:
            response = urllib.request.urlopen(request, context=self._tls, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        except OSError as error:
            return Answer(0, "", repr(error), [])
        with response:
            return Answer(
                response.status,
                response.headers.get("Content-Type", ""),
                response.read().decode(),
                response.headers.get_all("Warning") or [],
            )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(
        cadata=base64.b64decode(authority).decode() if authority else None,
        cafile=cluster.get("certificate-authority"),
    )
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "client-certificate-data" in user:
        parts = (user["client-certificate-data"], user["client-key-data"])
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(base64.b64decode(part) for part in parts))
            file.flush()
            context.load_cert_chain(file.name)
    return context


# -- the story -----------------------------------------------------------------------------------


class Story:
    """Sends exchanges in order; answers give the values that later paths name in braces."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._saved: dict[str, str] = {}

    def play(self, exchange: Mapping[str, Any]) -> list[Difference]:
        """Sends one exchange and returns where the answer differs from the recorded one."""
        path = re.sub(r"\{(\w+)\}", self._saved_value, exchange["path"]).replace(" ", "%20")
        data = _data(exchange)
        headers = {"Accept": "application/json", **exchange["headers"]}
        if data is not None:
            headers.setdefault("Content-Type", exchange["content_type"])
        answer = self._server.send(
            exchange["method"], path, data, headers, auth=exchange.get("auth", True)
        )
        body = answer.body(is_watch="watch=1" in path)
        for name, place in (exchange.get("save") or {}).items():
            self._saved[name] = _at(body, place)
        time.sleep(exchange.get("wait", 0))
        return list(_compared(exchange, answer, normalized(body)))

    def _saved_value(self, match: re.Match[str]) -> str:
        return urllib.parse.quote(self._saved.get(match[1], ""))


def _data(exchange: Mapping[str, Any]) -> bytes | None:
    if "raw" in exchange:
        return str(exchange["raw"]).encode()
    return json.dumps(exchange["body"]).encode() if "body" in exchange else None


def _at(body: Any, place: str) -> str:
    for part in place.split("."):
        body = body.get(part, "") if isinstance(body, dict) else ""
    return str(body)


def _compared(exchange: Mapping[str, Any], answer: Answer, got: Any) -> Iterator[Difference]:
    if answer.status != exchange["status"]:
        yield "status code", exchange["status"], answer.status
    recorded = exchange["response"]
    if exchange["id"].startswith("discovery") and answer.status == exchange["status"] == 200:
        recorded, got = shared_discovery(recorded, got)
    if not exchange.get("loose") and exchange["id"] not in _FREE_TEXT:
        unstable = frozenset(exchange.get("unstable", ()))
        yield from differences(recorded, got, unstable=unstable)
    if sorted(answer.warnings) != sorted(exchange.get("warnings", [])):
        yield "warnings", exchange.get("warnings"), answer.warnings


# -- the command ---------------------------------------------------------------------------------


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("exchanges", type=Path, nargs="?", default=KUBERNETES_EXCHANGES)
    parser.add_argument("--only", default="", help="show only exchanges whose id holds this text")
    parser.add_argument("--verbose", action="store_true", help="show every difference")
    parser.add_argument("--min", type=float, default=0, help="percent that must be equal")
    parser.add_argument("--json", type=Path, help="file for the result of each exchange")
    return parser.parse_args()


def _show(name: str, differs: list[Difference], *, verbose: bool) -> None:
    print(f"- {name}: {len(differs)} differ")
    for path, recorded, got in differs if verbose else differs[:SHOWN_DIFFERENCES]:
        print(f"    {path}: want {json.dumps(recorded)[:200]} got {json.dumps(got)[:200]}")


def main() -> int:
    """Plays a file of exchanges, prints what differs, returns the exit code."""
    options = _arguments()
    story, rows = Story(Server(options.kubeconfig)), []
    for line in options.exchanges.read_text(encoding="utf-8").splitlines():
        exchange = json.loads(line)
        differs = story.play(exchange)
        rows.append({"id": exchange["id"], "equal": not differs, "differences": differs})
        if differs and options.only in exchange["id"]:
            _show(exchange["id"], differs, verbose=options.verbose)
    equal = sum(bool(row["equal"]) for row in rows)
    share = 100 * equal / len(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    print(f"{equal} of {len(rows)} exchanges equal ({share:.1f} %)")
    return int(share < options.min)


if __name__ == "__main__":
    sys.exit(main())
