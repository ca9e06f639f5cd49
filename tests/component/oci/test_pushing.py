"""Images to registries: Debian's docker-registry, directly and behind a line that is cut."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from hearth.oci.errors import CutOff
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Entry, Layout
from hearth.oci.pushing import push
from hearth.oci.references import parse_reference
from hearth.oci.registry import client
from hearth.oci.repacking import repack
from hearth.oci.store import ContentStore
from tests.images import Registry, TestImage, make_test_image
from tests.ports import free_port

NOISE = os.urandom(3_000_000)


@pytest.fixture
def large(tmp_path: Path) -> TestImage:
    return make_test_image(tmp_path, "large", [Entry("noise", NOISE)])


def described(image: TestImage) -> tuple[Layout, Descriptor]:
    layout = Layout(image.layout)
    return layout, Descriptor(OCI_MANIFEST, image.digest, len(layout.read(image.digest)))


@contextlib.asynccontextmanager
async def cut_line(registry: Registry, *cuts: int) -> AsyncIterator[str]:
    """A way to a registry that ends each of the first connections after so many bytes sent."""
    left = list(cuts)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
        with contextlib.suppress(OSError):
            while most > 0 and (data := await reader.read(min(most, 65536))):
                writer.write(data)
                await writer.drain()
                most -= len(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", registry.port)
        back = asyncio.create_task(carry(inner, writer, 1 << 40))
        await carry(reader, outer, left.pop(0) if left else 1 << 40)
        back.cancel()
        for each in (outer, writer):
            each.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port := free_port())
    async with server:
        yield f"127.0.0.1:{port}"


async def test_an_upload_that_was_cut_ends_well(image_registry: Registry, large: TestImage) -> None:
    layout, image = described(large)
    told: list[int] = []
    async with client() as http, cut_line(image_registry, 1_000_000, 500_000) as host:
        to = parse_reference(f"{host}/cut/app:1")
        assert await push(http, to, image, layout, told=lambda _, n: told.append(n)) == large.digest
    assert await asyncio.to_thread(image_registry.digest, "cut/app:1") == large.digest
    assert max(told) > 3_000_000


class Keeping:
    """A registry that keeps what came of an upload, and ends the first after ``cut`` bytes."""

    def __init__(self, cut: int) -> None:
        self.cut, self.come, self.ranges = cut, bytearray(), list[str]()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        where = {"Location": "/v2/app/blobs/uploads/1", "Range": f"0-{len(self.come) - 1}"}
        if request.method == "HEAD":
            return web.Response(status=404)
        if request.method == "POST":
            return web.Response(status=202, headers=where)
        if request.method == "GET":
            return web.Response(status=204, headers=where)
        if "manifests" in request.path:
            return web.Response(status=201)
        self.ranges.append(request.headers.get("Content-Range", ""))
        async for piece in request.content.iter_any():
            self.come += piece
            if self.cut and len(self.come) > self.cut:
                self.cut = 0
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
        said, self.come = hashlib.sha256(self.come).hexdigest(), bytearray()
        return web.Response(status=201 if request.query["digest"] == f"sha256:{said}" else 400)


@pytest.fixture
async def keeping() -> AsyncIterator[tuple[Keeping, str]]:
    made = Keeping(1_000_000)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield made, f"127.0.0.1:{port}"
    await runner.cleanup()


async def test_what_the_registry_kept_is_not_sent_again(
    keeping: tuple[Keeping, str], large: TestImage
) -> None:
    made, host = keeping
    layout, image = described(large)
    async with client() as http:
        await push(http, parse_reference(f"{host}/app:1"), image, layout)
    first, second, config = made.ranges
    assert first == config == ""
    start, end = map(int, second.split("-"))
    assert 1_000_000 < start < end and end > 2_999_999


async def test_a_registry_that_is_away_is_told(large: TestImage) -> None:
    layout, image = described(large)
    async with client() as http:
        with pytest.raises(Exception, match="connection refused"):
            await push(http, parse_reference(f"127.0.0.1:{free_port()}/app:1"), image, layout)


async def test_a_line_that_is_always_cut_is_told(
    image_registry: Registry, large: TestImage
) -> None:
    layout, image = described(large)
    async with client() as http, cut_line(image_registry, *[200_000] * 40) as host:
        with pytest.raises(CutOff):
            await push(http, parse_reference(f"{host}/never/app:1"), image, layout)


@pytest.mark.skipif(os.geteuid() != 0, reason="layers are owned by others than us")
async def test_what_was_unpacked_is_packed_again(tmp_path: Path, image_registry: Registry) -> None:
    lower = [
        Entry("etc/hidden", b"1"),
        Entry("opt/old/file", b"2"),
        Entry("run", b"#!", 0o4755, 7, 8),
    ]
    made = make_test_image(tmp_path, "app", lower, [Entry("link", "/etc"), Entry("later", b"3")])
    layout, image = described(made)
    store = ContentStore(tmp_path / "store")
    stored = load(layout, image, store, parse_reference("app:1"), now=1.0)
    upper = store.layer(stored.config.diff_ids[1])
    (upper / "etc").mkdir()
    os.mknod(upper / "etc/hidden", stat.S_IFCHR, os.makedev(0, 0))
    (upper / "opt/old").mkdir(parents=True)
    os.setxattr(upper / "opt/old", "trusted.overlay.opaque", b"y")
    os.link(upper / "later", upper / "again")
    os.setxattr(upper / "later", "user.kept", b"\xff")

    packed = Layout(tmp_path / "packed")
    digests = {repack(store, stored, packed).digest for _ in range(2)}
    assert len(digests) == 1  # the same each time
    again = ContentStore(tmp_path / "again")
    back = load(packed, repack(store, stored, packed), again, parse_reference("app:1"), now=1.0)
    assert back.config.entrypoint == stored.config.entrypoint
    below, above = map(again.layer, back.config.diff_ids)
    status = (below / "run").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o4755, 7, 8)
    assert (above / "link").readlink() == Path("/etc")
    assert stat.S_ISCHR((above / "etc/hidden").lstat().st_mode)
    assert os.getxattr(above / "opt/old", "trusted.overlay.opaque") == b"y"
    assert (above / "again").stat().st_ino == (above / "later").stat().st_ino
    assert os.getxattr(above / "later", "user.kept") == b"\xff"
