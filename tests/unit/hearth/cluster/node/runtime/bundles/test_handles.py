from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.bundles.handles import Handle, signal_of


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SIGQUIT", signal.SIGQUIT),
        ("quit", signal.SIGQUIT),
        ("3", signal.SIGQUIT),
        ("", signal.SIGTERM),
        ("SIGNONE", signal.SIGTERM),
        ("999", signal.SIGTERM),
    ],
)
def test_stop_signals_as_images_name_them(name: str, meant: signal.Signals) -> None:
    assert signal_of(name) is meant


@given(st.integers(1, 1 << 22), st.integers(0), st.sampled_from(signal.Signals))
def test_a_handle_reads_back(pid: int, ticks: int, number: signal.Signals) -> None:
    handle = Handle("0" * 32, pid, ticks, number)
    assert Handle.parse(str(handle)) == handle


@given(st.text(max_size=50))
def test_a_broken_handle_is_none(text: str) -> None:
    assert Handle.parse(text) is None
