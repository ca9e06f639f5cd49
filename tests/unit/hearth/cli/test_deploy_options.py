"""What the command line of `hearth deploy` says, in gcloud's and kn's ways."""

from __future__ import annotations

from hearth.cli.deploy.wanted import both


def test_variables_come_as_kn_and_as_gcloud_have_them() -> None:
    assert both(["A=1,2", "B-"], ["C=3,D=4"], ["E,F"]) == ["A=1,2", "B-", "C=3", "D=4", "E-", "F-"]
    assert both(None, None, None) is None
