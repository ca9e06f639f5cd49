"""An ordinary user for tests that run as root: one that the machine need not have.

In a mount namespace of its own the user has an entry in passwd, ranges of subordinate ids and the
devices that rootless networks and file systems take, as udev gives them to everybody. Nothing of
the machine is changed. This environment is visible there even where it is in root's home, which
nobody else may enter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.component.keda.servers import wait_until

_NAME, _OF_THIS_RUN = "hearth-user", os.getpid() % 5000
_UID, _RANGE = 50_000 + _OF_THIS_RUN, 3_000_000_000 + _OF_THIS_RUN * 65_536
_REPOSITORY = Path(__file__).parents[3]
_SCRIPT = """
user=$1 uid=$2 range=$3 home=$4 hidden=$5 shown=$6; shift 6
own=/mnt; mount -t tmpfs -o mode=755 none "$own"
{ cat /etc/passwd; echo "$user:x:$uid:$uid::$home:/bin/sh"; } > "$own/passwd"
{ cat /etc/group; echo "$user:x:$uid:"; } > "$own/group"
for name in subuid subgid; do
  echo "$user:$range:65536" > "$own/$name"
  [ -e "/etc/$name" ] || exit 69
done
for name in passwd group subuid subgid; do mount --bind "$own/$name" "/etc/$name"; done
mknod -m 666 "$own/tun" c 10 200; mount --bind "$own/tun" /dev/net/tun
mknod -m 666 "$own/fuse" c 10 229; mount --bind "$own/fuse" /dev/fuse
for folder in $hidden; do
  mkdir "$own/was"; mount --rbind "$folder" "$own/was"
  mount -t tmpfs -o mode=755 none "$folder"
  for path in $shown; do
    case "$path" in "$folder"/*)
      mkdir -p "$path"; mount --rbind "$own/was/${path#"$folder"/}" "$path"
    esac
  done
  umount -l "$own/was"; rmdir "$own/was"
done
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all -- "$@"
"""


@dataclass(frozen=True, slots=True)
class OrdinaryUser:
    """The user, and the folder that is its home."""

    home: Path

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, in a login of this user."""
        return subprocess.run(
            self.command(command),
            env={**self._environment(), **env},
            cwd=_REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, command: Sequence[str]) -> list[str]:
        """The words that run it as this user."""
        shown = [Path(sys.base_prefix), Path(sys.prefix), _REPOSITORY]
        parents = {parent for path in shown for parent in path.parents}
        hidden = sorted(each for each in parents if not each.stat().st_mode & 0o001)
        words = [_NAME, _UID, _RANGE, self.home, " ".join(map(str, hidden))]
        words += [" ".join(dict.fromkeys(map(str, shown)))]
        script = ["sh", "-ec", _SCRIPT, "sh", *map(str, words)]
        return ["unshare", "--mount", "--propagation", "private", "--", *script, *command]

    def _environment(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "HEARTH_REQUIRE_SERVERS", "HEARTH_REQUIRE_KUBECTL")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        runtime = str(self.home / "runtime")
        return {**env, "HOME": str(self.home), "USER": _NAME, "XDG_RUNTIME_DIR": runtime}


@contextlib.contextmanager
def ordinary_user() -> Iterator[OrdinaryUser]:
    """The user with a fresh home; at the end nothing of it runs, and the home is gone."""
    home = Path(tempfile.mkdtemp(prefix="hearth-user-"))
    try:
        for folder in (home, home / "runtime"):
            folder.mkdir(mode=0o700, exist_ok=True)
            os.chown(folder, _UID, _UID)
        yield OrdinaryUser(home)
    finally:
        wait_until(_ended)
        shutil.rmtree(home)


def _ended() -> bool:
    """Whether no process is of that user; what there is is ended."""
    found = [path for path in Path("/proc").glob("[0-9]*") if _is_of_user(path)]
    for path in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.name), signal.SIGKILL)
    return not found


def _is_of_user(path: Path) -> bool:
    """What has ended and waits for its parent does not count."""
    with contextlib.suppress(OSError):
        uid = path.stat().st_uid
        is_there = b"\nState:\tZ" not in (path / "status").read_bytes()
        return is_there and (uid == _UID or _RANGE <= uid < _RANGE + 65536)
    return False
