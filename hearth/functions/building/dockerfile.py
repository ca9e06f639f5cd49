"""Dockerfiles: built by docker, podman or buildah, each with its own dialect and cache."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hearth.functions.building.environments import Say, run
from hearth.functions.building.errors import BuildError

_LAST_LINES = 15
_STEP = re.compile(r"(STEP|Step) \d+/\d+|#\d+ \[.*\d+/\d+\]")


@dataclass(frozen=True, slots=True)
class Tool:
    """A command line that builds: ``kind`` is docker, podman or buildah.

    ``command`` has, beside the program, the words that say which engine it speaks with.
    """

    kind: str
    command: tuple[str, ...]

    def build(
        self, folder: Path, file: str, args: Mapping[str, str], platform: str, say: Say
    ) -> str:
        """Return the id of the image that a Dockerfile makes of a folder; raise BuildError.

        Each step is told; the last lines of what the tool said are in the error.
        """
        words = [*self.command, "build", f"--file={folder / file}"]
        words += [] if self.kind == "docker" else ["--layers"]
        words += [f"--build-arg={name}={value}" for name, value in args.items()]
        words += [f"--platform={platform}"] if platform else []
        with tempfile.TemporaryDirectory() as scratch:
            note = Path(scratch) / "id"
            _run_told([*words, f"--iidfile={note}", "."], folder, say)
            return note.read_text().strip().removeprefix("sha256:")

    def tag(self, image: str, name: str) -> None:
        """Give an image a name."""
        run([*self.command, "tag", image, name], Path())

    def save(self, image: str, archive: Path) -> None:
        """Write an image into a file, in docker's form, which all take."""
        words = {
            "docker": ("save", f"--output={archive}", image),
            "podman": ("save", "--format=docker-archive", f"--output={archive}", image),
            "buildah": ("push", image, f"docker-archive:{archive}"),
        }
        run([*self.command, *words[self.kind]], Path())

    def push(self, name: str, *, is_plain: bool, say: Say) -> None:
        """Put an image into the registry of its name; raise BuildError with the tool's words."""
        options = ["--tls-verify=false"] if is_plain and self.kind != "docker" else []
        _run_told([*self.command, "push", *options, name], Path(), say)

    def port(self, image: str) -> int | None:
        """Return the one TCP port that an image exposes, if it is one."""
        is_buildah = self.kind == "buildah"
        words = ("inspect", "--type=image") if is_buildah else ("image", "inspect")
        said = json.loads(run([*self.command, *words, image], Path()))
        config = said["OCIv1"]["config"] if is_buildah else said[0]["Config"]
        exposed = config.get("ExposedPorts") or {}
        ports = [text.partition("/") for text in exposed]
        numbers = [int(port) for port, _, protocol in ports if protocol in ("", "tcp")]
        return numbers[0] if len(numbers) == 1 else None


def _run_told(words: Sequence[str], folder: Path, say: Say) -> None:
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is needed and not installed") from error
    with process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            if _STEP.match(line):
                say(f"  {line.rstrip()}")
    if process.returncode != 0:
        told = "\n".join(f"  {line}" for line in last)
        raise BuildError(f"{words[0]} failed with code {process.returncode}:\n{told}")
