"""The worker's way to Hearth: small requests with JSON over one kept connection.

Not ``http.client``, whose import takes longer than all of a run's requests. A request is sent again
until it is answered: each may come twice, and Hearth may be away for a while.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from hearth.pipelines.sdk.problems import PipelineError, Refused

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0
_ANSWER_SECONDS = 60.0


class Connection:
    """Jobs of one run, asked for at ``url`` (``http://HOST:PORT/runs/NAMESPACE/NAME``)."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        self._host, self._path, self._token = parts.netloc, parts.path, token
        self._socket: socket.socket | None = None

    def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have a job run, or find the one of that name; return how it is. Raises Refused."""
        found: Mapping[str, Any] = self._request("POST", "/jobs", wanted)
        return found

    def wait(self, names: Sequence[str], seconds: float) -> Mapping[str, Mapping[str, Any]]:
        """Return those of some jobs that are over, as soon as one is; none when time is up."""
        path = f"/jobs?names={','.join(names)}&seconds={seconds}"
        found: Mapping[str, Mapping[str, Any]] = self._request("GET", path)
        return found

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Tell how the script ended; once this returns, it is stored."""
        self._request("POST", "/end", outcome)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {self._path}{path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        pause = _FIRST_PAUSE
        while True:
            try:
                status, answer = self._once(head.encode() + content)
            except (OSError, ValueError):
                self.close()
            else:
                if status < 300:
                    return answer
                if status < 500:
                    raise self._refusal(status, answer)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _refusal(self, status: int, answer: Any) -> PipelineError:
        said = answer if isinstance(answer, dict) else {}
        return Refused(said.get("reason", "Refused"), said.get("message", f"HTTP {status}"))

    def _once(self, request: bytes) -> tuple[int, Any]:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_ANSWER_SECONDS)
        self._socket.sendall(request)
        with self._socket.makefile("rb") as stream:
            if not (line := stream.readline(1024)):
                raise ConnectionResetError("the connection was closed")
            status, length = int(line.split()[1]), 0
            while (line := stream.readline(65536).strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            content = stream.read(length)
        if len(content) < length:
            raise ConnectionResetError("the answer is cut off")
        return status, json.loads(content or b"null")
