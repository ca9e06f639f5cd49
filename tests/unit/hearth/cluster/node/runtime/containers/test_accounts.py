from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.api import CreateError
from hearth.cluster.node.runtime.containers.accounts import Identity, identity_of

PASSWD = """root:x:0:0:root:/root:/bin/sh
app:x:1000:1001::/home/app:/bin/sh
broken:x:many:1::/:/bin/sh
"""
GROUP = "root:x:0:\nweb:x:33:app,other\nlogs:x:44:app\n"


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", Identity(0, 0, (), "/root")),
        ("app", Identity(1000, 1001, (33, 44), "/home/app")),
        ("1000", Identity(1000, 1001, (33, 44), "/home/app")),
        ("app:web", Identity(1000, 33, (), "/home/app")),
        ("app:7", Identity(1000, 7, (), "/home/app")),
        ("65532", Identity(65532, 0, (), "/")),
        ("65532:65532", Identity(65532, 65532, (), "/")),
    ],
)
def test_identities(user: str, identity: Identity) -> None:
    assert identity_of(user, PASSWD, GROUP) == identity


def test_an_image_without_files() -> None:
    assert identity_of("", "", "") == Identity(0, 0, (), "/root")
    assert identity_of("5", "", "") == Identity(5, 0, (), "/")


@pytest.mark.parametrize("user", ["nobody", "broken", "app:nogroup", "\u00b9", "1" * 5000])
def test_names_that_are_not_there(user: str) -> None:
    with pytest.raises(CreateError, match="no matching entries"):
        identity_of(user, PASSWD, GROUP)


@given(st.text(), st.text(alphabet="ab:0,\n"), st.text(alphabet="ab:0,\n"))
def test_whatever_an_image_holds(user: str, passwd: str, group: str) -> None:
    try:
        assert identity_of(user, passwd, group).uid >= 0
    except CreateError as error:
        assert error.reason == "CreateContainerError"
