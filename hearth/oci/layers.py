"""Unpacks layers for overlay mounts. Every layer is a stranger's: nothing gets out of its folder.

Paths are followed by the kernel within the folder (``openat2`` with RESOLVE_IN_ROOT, Linux 5.6),
so no link leads out. Whiteouts become what overlay takes for them. Devices are left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gzip
import hashlib
import importlib
import io
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from hearth.oci.errors import CutOff, InvalidContent

_OPENAT2, _RESOLVE_IN_ROOT = 437, 0x10
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
OPAQUE_XATTR = "trusted.overlay.opaque"
"""How overlay has it that a folder hides those of the layers below."""
_CHUNK = 1 << 20
_MOST_HEADER = 1 << 20
"""Bytes of one extended header of tar, which are held in memory."""
XATTRS = ("SCHILY.xattr.security.capability", "SCHILY.xattr.user.")
"""Extended attributes that a layer keeps, as tar names them."""
_OF_NAMES = {
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY),
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP),
}
"""What the system answers where a name or a link's target can be none."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one layer may hold once it is unpacked."""

    size: int = 64 << 30
    entries: int = 2_000_000


def unpack(layer: Path, target: Path, diff_id: str, *, bounds: Bounds | None = None) -> int:
    """Unpack a layer into an empty folder, and check it; returns its bytes.

    Raises InvalidContent, CutOff, and OSError where the disk is full.
    """
    with layer.open("rb") as packed:
        plain = _Counted(_plain(packed), bounds or Bounds())
        try:
            _unpack(cast(BinaryIO, plain), target, bounds or Bounds())
            while plain.read(_CHUNK):
                pass
        except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.ReadError) as error:
            raise CutOff(f"layer {diff_id}: {error}") from error
        except (tarfile.TarError, ValueError, RecursionError) as error:
            raise InvalidContent(f"layer {diff_id}: {error}") from error
        except OSError as error:
            if error.errno not in _OF_NAMES:
                raise
            raise InvalidContent(f"layer {diff_id}: {error}") from error
    if plain.digest != diff_id:
        raise InvalidContent(f"layer {plain.digest} is not what the config says, {diff_id}")
    return plain.size


def _unpack(plain: BinaryIO, target: Path, bounds: Bounds) -> None:
    with (
        tarfile.open(fileobj=plain, mode="r|", tarinfo=_Info, errorlevel=2) as archive,
        _Root(target) as root,
    ):
        for count, member in enumerate(archive):
            if count >= bounds.entries:
                raise InvalidContent(f"more than {bounds.entries} entries")
            root.add(member, archive)
            archive.members.clear()  # type: ignore[attr-defined]


class _Info(tarfile.TarInfo):
    """Refuses headers that would be read into memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        is_header = self.type in (
            *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
            *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        )
        if is_header and self.size > _MOST_HEADER:
            raise ValueError("an extended header is too large")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Root:
    """The folder that a layer goes into; the parent used last stays open."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
        self._parent = ("", os.dup(self._fd))

    def __enter__(self) -> _Root:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._parent[1])
        os.close(self._fd)

    def add(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        """One entry of the archive."""
        path = _clean(member.name)
        folder, name = posixpath.split(path)
        if not name:
            os.chmod(f"/proc/self/fd/{self._fd}", member.mode & 0o7777)
            return
        parent = self._open_parent(folder)
        if name == OPAQUE:
            os.setxattr(f"/proc/self/fd/{parent}", OPAQUE_XATTR, b"y")
        elif name.startswith(WHITEOUT):
            _white_out(parent, name.removeprefix(WHITEOUT))
        elif member.isdir():
            _add_folder(parent, name, member)
        elif member.isreg() or member.issym() or member.isfifo() or member.islnk():
            _clear(parent, name)
            self._add_leaf(parent, name, member, archive=archive)

    def _add_leaf(
        self, parent: int, name: str, member: tarfile.TarInfo, *, archive: tarfile.TarFile
    ) -> None:
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        elif member.islnk():
            self._link(parent, name, member.linkname)
            return
        elif member.isfifo():
            os.mkfifo(name, dir_fd=parent)
        else:
            _write(parent, name, member, cast(IO[bytes], archive.extractfile(member)))
            return
        os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)

    def _link(self, parent: int, name: str, to: str) -> None:
        folder, base = posixpath.split(_clean(to))
        try:
            source = _open_within(self._fd, folder)
        except OSError as error:
            raise InvalidContent(f"a link to {to!r}, which is not in the layer") from error
        try:
            os.link(base, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise InvalidContent(f"a link to {to!r}, which is no file of the layer") from error
        finally:
            os.close(source)

    def _open_parent(self, folder: str) -> int:
        if folder != self._parent[0]:
            try:
                opened = _open_within(self._fd, folder)
            except FileNotFoundError:
                opened = self._make_folders(folder)
            except OSError as error:
                raise InvalidContent(f"{folder!r} is no folder: {error.strerror}") from error
            os.close(self._parent[1])
            self._parent = (folder, opened)
        return self._parent[1]

    def _make_folders(self, folder: str) -> int:
        at = os.dup(self._fd)
        done = ""
        for part in folder.split("/"):
            done = posixpath.join(done, part)
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=at)
                os.chmod(part, 0o755, dir_fd=at)  # whatever our umask
            os.close(at)
            try:
                at = _open_within(self._fd, done)
            except OSError as error:
                raise InvalidContent(f"{done!r} is no folder: {error.strerror}") from error
        return at


def _clean(name: str) -> str:
    """A path within the layer, without its root; ``..`` is refused, as is what no file can be."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise InvalidContent(f"an entry with the name {name!r}")
    return "/".join(parts)


def _open_within(root: int, path: str, flags: int = os.O_PATH | os.O_DIRECTORY) -> int:
    """What is below ``root``, links followed as if that were the root of all."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT)
    name = os.fsencode(path or ".")
    opened: int = _libc.syscall(_OPENAT2, root, name, how, len(how))
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return opened


def read_inside(root: Path, name: str, *, most: int = 1 << 20) -> str:
    """A text file of a root filesystem, links followed as in there; empty where there is none."""
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(_open_within(at, name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(most).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(at)


def _clear(parent: int, name: str) -> None:
    """A later entry of the same name takes the place of the earlier."""
    try:
        mode = os.lstat(name, dir_fd=parent).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)


def _add_folder(parent: int, name: str, member: tarfile.TarInfo) -> None:
    try:
        is_there = stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        is_there = False
    if not is_there:
        _clear(parent, name)
        os.mkdir(name, dir_fd=parent)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        _finish(fd, member)
    finally:
        os.close(fd)


def _white_out(parent: int, name: str) -> None:
    if name in ("", ".", "..") or "/" in name:
        raise InvalidContent("a whiteout of nothing")
    with contextlib.suppress(FileExistsError):
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)


def _write(parent: int, name: str, member: tarfile.TarInfo, content: IO[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        file.flush()
        _finish(file.fileno(), member)


def _finish(fd: int, member: tarfile.TarInfo) -> None:
    os.fchown(fd, member.uid, member.gid)
    os.fchmod(fd, member.mode & 0o7777)
    for key, value in member.pax_headers.items():
        if key.startswith(XATTRS):
            with contextlib.suppress(OSError):  # a file system without them
                os.setxattr(
                    fd, key.removeprefix("SCHILY.xattr."), value.encode(errors="surrogateescape")
                )
    with contextlib.suppress(OverflowError, ValueError, OSError):
        os.utime(fd, (member.mtime, member.mtime))


class _Counted(io.RawIOBase):
    """Reads on, and knows the size and digest of what was read; no more than is allowed."""

    def __init__(self, source: IO[bytes], bounds: Bounds) -> None:
        self._source = source
        self._bounds = bounds
        self._hash = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        self.size += len(data)
        if self.size > self._bounds.size:
            raise InvalidContent(f"more than {self._bounds.size} bytes")
        return data

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def _plain(packed: BinaryIO) -> IO[bytes]:
    """What is inside, by its first bytes: media types of layers are not always true."""
    head = packed.read(4)
    packed.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if head == b"\x28\xb5\x2f\xfd":
        return cast(IO[bytes], _zstd().ZstdFile(packed))
    return packed


def _zstd() -> Any:
    for module in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    raise InvalidContent("a layer of zstd: pip install 'hearth-serving[containers]'")
