from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.oci.errors import InvalidContent, NoPlatform
from hearth.oci.manifests import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Platform,
    choose,
    digest_of,
    make_config,
    make_index,
    make_manifest,
    parse_config,
    parse_index,
    parse_manifest,
    platform_of,
)

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")
ONE = Descriptor(OCI_MANIFEST, digest_of(b"1"), 1)
TWO = Descriptor(DOCKER_MANIFEST, digest_of(b"2"), 2)
words = st.lists(st.text(max_size=5), max_size=3).map(tuple)


def test_the_image_of_an_index_for_this_machine() -> None:
    index = parse_index(make_index([(AMD, ONE), (ARM, TWO)]), "app")
    assert choose(index, ARM, "app") == TWO
    with pytest.raises(NoPlatform, match=r"linux/s390x .*\(there are linux/amd64, linux/arm64\)"):
        choose(index, platform_of("s390x"), "app")


def test_what_is_no_image_is_not_chosen() -> None:
    attestation = Descriptor("application/json", ONE.digest, 1)
    with pytest.raises(NoPlatform):
        choose([(AMD, attestation)], AMD, "app")


def test_a_manifest_reads_back() -> None:
    manifest = parse_manifest(make_manifest(ONE, [TWO, ONE]), "app")
    assert (manifest.config, manifest.layers) == (ONE, (TWO, ONE))


@given(
    st.builds(
        ImageConfig,
        platform=st.just(AMD),
        diff_ids=st.just((ONE.digest,)),
        entrypoint=words,
        cmd=words,
        env=st.dictionaries(st.text("AB_", min_size=1), st.text(max_size=5)),
        workdir=st.sampled_from(["", "/w"]),
        user=st.sampled_from(["", "1:2", "app"]),
        ports=st.sampled_from([(), (80, 443)]),
    )
)
def test_a_config_reads_back(config: ImageConfig) -> None:
    assert parse_config(make_config(config), "app") == config


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["schemaVersion", "config", "layers", "manifests", "rootfs", "os"]),
        json_values | st.sampled_from([2, [ONE.to_json()], ONE.to_json(), {"Env": 1}]),
    )
    | json_values,
    st.sampled_from([parse_manifest, parse_config, parse_index]),
)
def test_what_a_stranger_sends_is_read_or_refused(data: Any, parse: Any) -> None:
    try:
        assert parse(json.dumps(data).encode(), "app") is not None
    except InvalidContent as error:
        assert "app" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b"[]", b'{"schemaVersion":1}', b"\xff"],
    ids=["nothing", "deep", "list", "old", "no text"],
)
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(InvalidContent):
        parse_manifest(content, "app")


def test_more_layers_than_an_overlay_takes() -> None:
    with pytest.raises(InvalidContent, match="more than 127 layers"):
        parse_manifest(make_manifest(ONE, [TWO] * 128), "app")
