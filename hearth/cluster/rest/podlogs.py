"""Reading the logs of pods: which container, which lines, and following the file as it grows.

The node writes one file per run of a container, ``<container>/<restart>.log``, in the format of
container runtimes: ``TIME stdout|stderr F|P text``. Selecting lines is pure; ``handlers.pods``
does the reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.codec import paths
from hearth.cluster.model import fielderrors, status
from hearth.cluster.model.objects import Object
from hearth.kube import gotext
from hearth.kube.clock import parse_rfc3339

_CONTAINER_FIELDS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """``since`` is in Unix seconds; None: from the start."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: float | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None


def log_options(query: Mapping[str, str], name: str, now: float) -> LogOptions:
    """The options of a log request; 422 with Kubernetes' complaints."""
    errors = []
    if query.get("sinceSeconds") and query.get("sinceTime"):
        problem = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        errors.append(fielderrors.forbidden("", problem))
    numbers = {f: _number(query, f) for f in ("sinceSeconds", "tailLines", "limitBytes")}
    for field, minimum in (("sinceSeconds", 1), ("tailLines", 0), ("limitBytes", 1)):
        number = numbers[field]
        if number is not None and number < minimum:
            problem = (
                f"must be greater than {minimum - 1}"
                if minimum
                else "must be greater than or equal to 0"
            )
            errors.append(fielderrors.invalid(field, number, problem))
    if errors:
        raise status.invalid("", "PodLogOptions", name, errors=errors)
    return LogOptions(
        container=query.get("container", ""),
        follow=paths.flag(dict(query), "follow"),
        previous=paths.flag(dict(query), "previous"),
        timestamps=paths.flag(dict(query), "timestamps"),
        since=_since(query, numbers["sinceSeconds"], now),
        tail_lines=numbers["tailLines"],
        limit_bytes=numbers["limitBytes"],
    )


def _number(query: Mapping[str, str], field: str) -> int | None:
    if not query.get(field):
        return None
    try:
        return gotext.parse_int(query[field])
    except ValueError as error:
        raise status.bad_request(str(error)) from None


def _since(query: Mapping[str, str], seconds: int | None, now: float) -> float | None:
    if seconds is not None:
        return now - seconds
    if not query.get("sinceTime"):
        return None
    try:
        return parse_rfc3339(query["sinceTime"])
    except ValueError:
        problem = f'parsing time "{query["sinceTime"]}" as "2006-01-02T15:04:05Z07:00"'
        raise status.bad_request(problem) from None


def container_of(pod: Object, asked: str) -> str:
    """The container whose log is meant; 400 where that is not clear."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    names = {f: [c["name"] for c in spec.get(f) or ()] for f in _CONTAINER_FIELDS}
    if asked:
        if not any(asked in of_type for of_type in names.values()):
            raise status.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names["containers"]) == 1:
        return str(names["containers"][0])
    problem = (
        f"a container name must be specified for pod {name}, choose one of: "
        f"[{' '.join(names['containers'])}]"
    )
    if names["initContainers"]:
        problem += f" or one of the init containers: [{' '.join(names['initContainers'])}]"
    raise status.bad_request(problem)


def container_status(pod: Object, container: str) -> Object:
    """The status of a container of any type; empty where there is none."""
    pod_status = pod.get("status") or {}
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in pod_status.get(field) or ():
            if entry.get("name") == container:
                return dict(entry)
    return {}


def begun_run(pod: Object, container: str) -> int | None:
    """The number of the run that is going on or ended last; None before the first one.

    A run that has written nothing has no file yet, and still has a log: an empty one.
    """
    entry = container_status(pod, container)
    state, restarts = entry.get("state") or {}, int(entry.get("restartCount") or 0)
    if "running" in state or "terminated" in state:
        return restarts
    return restarts if (entry.get("lastState") or {}).get("terminated") else None


def log_folder(data_dir: Path, pod: Object, container: str) -> Path:
    """The folder in which the node keeps the runs of a container."""
    metadata = pod["metadata"]
    place = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
    return data_dir / "pods" / place / container


def runs(files: Iterable[str]) -> list[int]:
    """The numbers of the runs whose logs are there, in order."""
    stems = (file.removesuffix(".log") for file in files if file.endswith(".log"))
    return sorted(int(stem) for stem in stems if stem.isdigit())


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log file; a partial one continues in the next."""

    time: bytes
    text: bytes
    partial: bool


def parse_line(raw: bytes) -> Line | None:
    """None for what is not a whole line of the format."""
    time, _, rest = raw.partition(b" ")
    _, _, rest = rest.partition(b" ")
    tag, separator, text = rest.partition(b" ")
    if not separator and tag not in (b"F", b"P"):
        return None
    return Line(time, text, partial=tag == b"P")


class Selector:
    """Turns raw lines into what the client sees, and knows when it has seen enough."""

    def __init__(self, options: LogOptions) -> None:
        self._since = options.since
        self._timestamps = options.timestamps
        self._left = options.limit_bytes
        self._in_line = False

    @property
    def is_done(self) -> bool:
        """Whether ``limitBytes`` is used up."""
        return self._left == 0

    def shown(self, raw_lines: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes to send of lines as they are in the file."""
        for raw in raw_lines:
            line = parse_line(raw)
            if line is None or not self._is_recent(line):
                continue
            piece = self._piece(line)
            if self._left is not None:
                piece = piece[: self._left]
                self._left -= len(piece)
            yield piece
            if self.is_done:
                return

    def _piece(self, line: Line) -> bytes:
        starts = not self._in_line
        self._in_line = line.partial
        head = line.time + b" " if self._timestamps and starts else b""
        return head + line.text + (b"" if line.partial else b"\n")

    def _is_recent(self, line: Line) -> bool:
        if self._since is None:
            return True
        try:
            return parse_rfc3339(_microseconds(line.time.decode())) >= self._since
        except ValueError:
            return True


def _microseconds(time: str) -> str:
    """RFC 3339 with nanoseconds, cut to what Python reads; engines write the machine's own zone."""
    return re.sub(r"(\.\d{6})\d*", r"\1", time)


def last_lines(lines: list[bytes], count: int) -> list[bytes]:
    """The last whole lines; parts of one line count once."""
    if count == 0:
        return []
    complete = 0
    for index in range(len(lines) - 1, -1, -1):
        line = parse_line(lines[index])
        if line is not None and not line.partial:
            complete += 1
            if complete > count:
                return lines[index + 1 :]
    return lines
