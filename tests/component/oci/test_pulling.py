"""Images from registries: of Debian's docker-registry, and of one that goes wrong as we like."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from hearth.oci.credentials import Login
from hearth.oci.errors import (
    CutOff,
    InvalidContent,
    ManifestUnknown,
    NoPlatform,
    RegistryError,
    Unauthorized,
    Unreachable,
)
from hearth.oci.helpers import machine_logins
from hearth.oci.layers import Bounds
from hearth.oci.manifests import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Platform,
    make_index,
    platform_of,
)
from hearth.oci.packing import Entry, Layout
from hearth.oci.pulling import Puller
from hearth.oci.pushing import push
from hearth.oci.references import parse_reference
from hearth.oci.registry import Repository, client
from hearth.oci.store import ContentStore
from tests.component.keda.servers import program
from tests.images import PASSWORD, USER, Registry, TestImage, make_test_image
from tests.ports import free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="layers are owned by others than us")

ME = Login(USER, PASSWORD)
HERE = platform_of(os.uname().machine)


@pytest.fixture
async def puller(tmp_path: Path) -> AsyncIterator[Puller]:
    async with client() as http:
        yield Puller(ContentStore(tmp_path / "store"), http, HERE)


# -- a real registry ----------------------------------------------------------------------------


async def test_an_image_comes(
    puller: Puller, image_registry: Registry, static_layout: TestImage
) -> None:
    reference, told = parse_reference(f"{image_registry.host}/app:1"), [0]
    image = await puller.pull(reference, now=1.0, told=told.append)
    assert (image.name, image.digest) == (str(reference), static_layout.digest)
    assert image.repository == f"{image_registry.host}/app"
    assert image.config.entrypoint == ("/program",) and image.size == sum(told) > 0
    (layer,) = map(puller.store.layer, image.config.diff_ids)
    assert (layer / "program").stat().st_mode & 0o111
    assert (layer / "home/app").stat().st_uid == 1234
    assert stat.S_IMODE(layer.stat().st_mode) == 0o755
    assert puller.store.find(reference) == image
    by_digest = parse_reference(f"{image_registry.host}/app@{image.digest}")
    assert puller.store.find(by_digest) == image
    assert await puller.digest(reference) == image.digest
    left = [path.name for path in (puller.store.folder / "blobs").iterdir()]
    assert left == [image.config_digest.removeprefix("sha256:")]
    assert os.listdir(puller.store.folder / "locks") == ["index"]


async def test_many_who_want_one_image_get_it_once(
    puller: Puller, image_registry: Registry
) -> None:
    reference, told = parse_reference(f"{image_registry.host}/app:1"), list[int]()
    images = await asyncio.gather(
        *(puller.pull(reference, now=1.0, told=told.append) for _ in range(5))
    )
    assert len(set(map(str, images))) == 1
    assert len(os.listdir(puller.store.folder / "layers")) == 1


async def test_a_password(puller: Puller, locked_registry: Registry, tmp_path: Path) -> None:
    reference = parse_reference(f"{locked_registry.host}/app:1")
    for logins in ([], [Login(USER, "wrong")]):
        with pytest.raises(Unauthorized, match=r"failed to pull .* pull access denied"):
            await puller.pull(reference, logins=logins, now=1.0)
    image = await puller.pull(reference, logins=[Login("x", "y"), ME], now=1.0)
    assert image.digest.startswith("sha256:")


async def test_what_a_registry_does_not_have(puller: Puller, image_registry: Registry) -> None:
    for name in ("none:1", "app:none"):
        full = f"{image_registry.host}/{name}"
        with pytest.raises(ManifestUnknown, match=f'resolve reference "{full}": {full}: not found'):
            await puller.pull(parse_reference(full), now=1.0)


async def test_what_we_push_others_read(
    puller: Puller, locked_registry: Registry, tmp_path: Path
) -> None:
    layers = [[Entry("a", b"1")], [Entry("b", os.urandom(3_000_000))]]
    made = make_test_image(tmp_path, "ours", *layers)
    layout = Layout(made.layout)
    described = Descriptor(OCI_MANIFEST, made.digest, len(layout.blob(made.digest).read_bytes()))
    reference = parse_reference(f"{locked_registry.host}/deep/ours:2")
    for _ in range(2):  # the second time all is there
        await push(puller.http, reference, described, layout, logins=[ME])
    skopeo = [program("skopeo"), "inspect", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}"]
    asked = await asyncio.create_subprocess_exec(
        *skopeo, f"docker://{reference}", stdout=subprocess.PIPE
    )
    said, _ = await asked.communicate()
    assert json.loads(said)["Digest"] == made.digest
    image = await puller.pull(reference, logins=[ME], now=1.0)
    assert len(image.config.diff_ids) == 2
    with pytest.raises(Unauthorized):
        await push(puller.http, reference, described, layout)


async def test_indexes_of_platforms(
    puller: Puller, image_registry: Registry, tmp_path: Path
) -> None:
    images = []
    for machine in ("s390x", os.uname().machine):
        made = make_test_image(tmp_path, machine, [Entry(machine, b"x")], machine=machine)
        layout = Layout(made.layout)
        size = len(layout.blob(made.digest).read_bytes())
        images.append((platform_of(machine), Descriptor(OCI_MANIFEST, made.digest, size)))
        reference = parse_reference(f"{image_registry.host}/many:{machine}")
        await push(puller.http, reference, images[-1][1], layout)
    index = make_index(images)
    reference = parse_reference(f"{image_registry.host}/many:all")
    await Repository(puller.http, reference).push_manifest(index, OCI_INDEX, "all")
    image = await puller.pull(reference, now=1.0)
    assert image.digest == Layout(tmp_path / "x").put(index)
    (layer,) = map(puller.store.layer, image.config.diff_ids)
    assert os.listdir(layer) == [os.uname().machine]
    elsewhere = Puller(puller.store, puller.http, Platform("linux", "mips"))
    with pytest.raises(NoPlatform, match="no matching manifest for linux/mips"):
        await elsewhere.pull(reference, now=1.0)
    with pytest.raises(NoPlatform, match="the image is for linux/s390x"):
        await puller.pull(parse_reference(f"{image_registry.host}/many:s390x"), now=1.0)


# -- a registry that goes wrong -----------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class Faulty:
    """Serves one layout; ``cuts`` says after how many bytes each answer with a layer ends."""

    def __init__(self, image: TestImage, *cuts: int, takes_ranges: bool = True) -> None:
        self.image, self.layout = image, Layout(image.layout)
        self.cuts = list(cuts)
        self.takes_ranges = takes_ranges
        self.ranges: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        kind, _, what = request.path.removeprefix("/v2/app/").partition("/")
        digest = self.image.digest if kind == "manifests" else what
        content = self.layout.blob(digest).read_bytes()
        if kind == "manifests":
            return web.Response(body=content, headers={"Content-Type": OCI_MANIFEST})
        if len(content) < 10_000:
            return web.Response(body=content)
        return await self.layer(request, content)

    async def layer(self, request: web.Request, content: bytes) -> web.StreamResponse:
        self.ranges.append(request.headers.get("Range", ""))
        start = int(self.ranges[-1][6:-1]) if self.ranges[-1] and self.takes_ranges else 0
        answer = web.StreamResponse(status=206 if start else 200)
        answer.content_length = len(content) - start
        await answer.prepare(request)
        cut = self.cuts.pop(0) if self.cuts else len(content)
        await answer.write(content[start : start + cut])
        if start + cut < len(content):
            assert request.transport is not None
            request.transport.close()
        return answer


@pytest.fixture
def large(tmp_path: Path) -> TestImage:
    return make_test_image(tmp_path, "large", [Entry("noise", os.urandom(300_000))])


@pytest.mark.parametrize("takes_ranges", [True, False])
async def test_a_pull_that_was_cut_goes_on(
    puller: Puller, large: TestImage, takes_ranges: bool
) -> None:
    faulty = Faulty(large, 100_000, 100_000, takes_ranges=takes_ranges)
    async with serving(faulty.answer) as host:
        image = await puller.pull(parse_reference(f"{host}/app"), now=1.0)
    assert puller.store.has_layer(image.config.diff_ids[0])
    assert faulty.ranges[0] == "" and faulty.ranges[1].startswith("bytes=")
    assert len(faulty.ranges) == 3


async def test_a_pull_that_is_always_cut_fails_and_the_next_goes_on(
    puller: Puller, large: TestImage
) -> None:
    faulty = Faulty(large, *[1000] * 4)
    async with serving(faulty.answer) as host:
        reference = parse_reference(f"{host}/app")
        with pytest.raises(CutOff, match="unexpected EOF"):
            await puller.pull(reference, now=1.0)
        assert puller.store.find(reference) is None
        assert (await puller.pull(reference, now=1.0)).digest == large.digest
    assert faulty.ranges[-1].startswith("bytes=") and len(faulty.ranges) == 5


async def test_other_content_than_was_said(puller: Puller, large: TestImage) -> None:
    faulty = Faulty(large)

    async def lying(request: web.Request, content: bytes) -> web.StreamResponse:
        return web.Response(body=bytes(len(content)))

    faulty.layer = lying  # type: ignore[method-assign]
    async with serving(faulty.answer) as host:
        with pytest.raises(CutOff, match="unexpected commit digest"):
            await puller.pull(parse_reference(f"{host}/app"), now=1.0)
    assert not [each for each in os.listdir(puller.store.folder / "blobs") if "part" in each]


async def test_a_digest_that_stands_for_something_else(puller: Puller, large: TestImage) -> None:
    async with serving(Faulty(large).answer) as host:
        with pytest.raises(CutOff, match="unexpected digest"):
            await puller.pull(parse_reference(f"{host}/app@sha256:{'0' * 64}"), now=1.0)


async def test_more_than_is_allowed(puller: Puller, large: TestImage) -> None:
    small = Puller(puller.store, puller.http, HERE, Bounds(size=1000))
    async with serving(Faulty(large).answer) as host:
        with pytest.raises(InvalidContent, match="more than 1000 bytes"):
            await small.pull(parse_reference(f"{host}/app"), now=1.0)
    assert os.listdir(puller.store.folder / "layers") == []


async def test_answers_without_end_and_answers_of_others(puller: Puller) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(5 << 20))

    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>")

    for handler, error, text in (
        (endless, RegistryError, "more than"),
        (broken, RegistryError, "500 Internal Server Error"),
        (nonsense, InvalidContent, "not JSON"),
    ):
        async with serving(handler) as host:
            with pytest.raises(error, match=text):
                await puller.pull(parse_reference(f"{host}/app"), now=1.0)


async def test_nobody_there(puller: Puller) -> None:
    with pytest.raises(Unreachable, match="connection refused"):
        await puller.pull(parse_reference(f"127.0.0.1:{free_port()}/app"), now=1.0)
    with pytest.raises(Unreachable, match="no such host"):
        await puller.pull(parse_reference("nobody.invalid/app"), now=1.0)


@pytest.mark.parametrize("login", [None, ME, Login("", "refresh")])
async def test_tokens(puller: Puller, large: TestImage, login: Login | None) -> None:
    faulty, asked = Faulty(large), list[str]()

    async def registry(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            form = await request.post()
            who = request.headers.get("Authorization", "") or str(form.get("refresh_token", ""))
            asked.append(f"{who} {str(form.get('scope', '')) or request.query['scope']}")
            return web.json_response({"token": "let-me-in"})
        if request.headers.get("Authorization") != "Bearer let-me-in":
            realm = f"http://{request.host}/token"
            said = f'Bearer realm="{realm}",service="s",scope="repository:app:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": said})
        return await faulty.answer(request)

    async with serving(registry) as host:
        logins = [login] if login is not None else []
        await puller.pull(parse_reference(f"{host}/app"), logins=logins, now=1.0)
    (once,) = asked
    assert once.endswith("repository:app:pull")
    assert once.startswith({None: " ", ME: "Basic "}.get(login, "refresh "))


async def test_a_password_is_not_sent_to_a_strange_token_server(puller: Puller) -> None:
    async def registry(request: web.Request) -> web.StreamResponse:
        said = 'Bearer realm="http://elsewhere.invalid/token"'
        return web.Response(status=401, headers={"WWW-Authenticate": said})

    async with serving(registry) as host:
        with pytest.raises(Unauthorized, match="is not asked"):
            await puller.pull(parse_reference(f"{host}/app"), logins=[ME], now=1.0)


# -- docker's config ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "logins"),
    [
        ('read server; echo \'{"Username":"me","Secret":"\'$server\'"}\'', ["ghcr.io", "plain"]),
        ("echo 'credentials not found in native keychain'; exit 1", ["plain"]),
    ],
)
async def test_a_credential_helper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, logins: list[str]
) -> None:
    helper = tmp_path / "docker-credential-tests"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    config = tmp_path / "config.json"
    plain = {"ghcr.io": {"username": "me", "password": "plain"}}
    config.write_text(json.dumps({"auths": plain, "credHelpers": {"ghcr.io": "tests"}}))
    found = await machine_logins(config, parse_reference("ghcr.io/a/b"))
    assert [login.password for login in found] == logins


async def test_no_config_and_a_helper_that_is_not_there(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    assert await machine_logins(config, parse_reference("a.io/b")) == []
    for store in ("hearth-has-none", "../../bin/sh"):
        config.write_text(json.dumps({"credsStore": store}))
        assert await machine_logins(config, parse_reference("a.io/b")) == []


# -- the store ----------------------------------------------------------------------------------


async def test_the_least_used_go_first(
    puller: Puller, image_registry: Registry, tmp_path: Path
) -> None:
    store, images = puller.store, []
    for number in range(3):
        made = make_test_image(tmp_path, f"i{number}", [Entry(f"f{number}", os.urandom(50_000))])
        name = image_registry.push(made, f"gc:{number}")
        images.append(await puller.pull(parse_reference(name), now=float(number)))
    one, two, three = images
    total = sum(image.size for image in images)
    store.touch(one, 10.0)
    assert store.collect(most=total) == 0
    assert store.collect(most=total - 1) == 1
    assert [image.name for image in store.list()] == [one.name, three.name]
    assert not store.has_layer(two.config.diff_ids[0])
    assert store.collect(most=0, in_use={three.name}) == 1
    assert store.list() == [three]
    assert store.remove(parse_reference(three.name))
    store.collect(most=1 << 40)
    assert os.listdir(store.folder / "layers") == os.listdir(store.folder / "blobs") == []


async def test_layers_are_shared_by_images(
    puller: Puller, image_registry: Registry, tmp_path: Path
) -> None:
    shared = [Entry("shared", os.urandom(1000))]
    names = []
    for number in range(2):
        made = make_test_image(tmp_path, f"s{number}", shared, [Entry(f"own{number}", b"x")])
        names.append(parse_reference(image_registry.push(made, f"shared:{number}")))
        await puller.pull(names[-1], now=1.0)
    assert len(os.listdir(puller.store.folder / "layers")) == 3
    puller.store.remove(names[0])
    puller.store.collect(most=1 << 40)
    assert puller.store.find(names[1]) is not None
    assert len(os.listdir(puller.store.folder / "layers")) == 2
