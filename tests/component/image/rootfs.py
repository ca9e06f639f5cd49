"""A small Linux with Python, made of this machine's: a base image without a registry."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_PROGRAMS = ("/bin/sh", "/usr/bin/env")
_LIBRARIES = (
    *("libstdc++.so.6", "libgcc_s.so.1", "librt.so.1", "libpthread.so.0", "libdl.so.2"),
    *("libutil.so.1", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"),
)
"""What Python's official images have beside Python, and wheels rely on."""
_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/nsswitch.conf")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "tests", "site-packages", "config-*")


def make_rootfs(root: Path) -> None:
    """Fill a folder: Python below /usr/local, a shell, the C library and certificates."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix, local = Path(sys.base_prefix), root / "usr/local"
    for folder in ("tmp", "proc", "sys", "dev", "var/lib/hearth", "root"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copytree(prefix / "lib" / version, local / "lib" / version, ignore=_LEFT_OUT)
    packages = local / "lib" / version / "site-packages"
    shutil.copytree(_pip(), packages / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    (local / "bin").mkdir()
    shutil.copy2(prefix / "bin" / version, local / "bin" / version)
    (local / "bin" / "python3").symlink_to(version)
    for program in (*_PROGRAMS, *_FILES):
        _copy(Path(program), root)
    extensions = (local / "lib" / version / "lib-dynload").glob("*.so")
    for library in _needed([prefix / "bin" / version, *map(Path, _PROGRAMS), *extensions]):
        _copy(library, root)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")


def _pip() -> Path:
    import pip

    return Path(pip.__path__[0])


def _needed(programs: Iterable[Path]) -> set[Path]:
    """The libraries that programs and wheels load, with the loader itself."""
    found = set()
    for program in programs:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        found |= {Path(word) for word in listed.split() if word.startswith("/")}
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.split(" ")[0] in _LIBRARIES and "x86-64" in name:
            found.add(Path(path))
    return found


def _copy(path: Path, root: Path) -> None:
    """Copy a file to its own place, through links of folders and of itself."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path.resolve(), target)
