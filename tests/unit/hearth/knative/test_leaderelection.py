"""config-leader-election as Knative reads it, and identities that say where their owner is."""

from __future__ import annotations

import pytest

from hearth.knative.leaderelection import Candidacy, LeaderElectionConfig, address_of
from hearth.kube.election import Timing


def lease(holder: str | None) -> dict[str, object]:
    return {"spec": {"holderIdentity": holder}}


def test_the_defaults_are_those_of_knative() -> None:
    config = LeaderElectionConfig.from_data({})
    assert config == LeaderElectionConfig(Timing(60.0, 40.0, 10.0), buckets=1)


def test_old_spellings_are_read_and_new_ones_win() -> None:
    data = {"leaseDuration": "30s", "renewDeadline": "20s", "retryPeriod": "5s"}
    assert LeaderElectionConfig.from_data(data).timing == Timing(30.0, 20.0, 5.0)
    data |= {"retry-period": "2s", "buckets": "3"}
    config = LeaderElectionConfig.from_data(data)
    assert (config.timing.retry_period, config.buckets) == (2.0, 3)


def test_times_that_no_election_works_with_are_refused() -> None:
    with pytest.raises(ValueError, match="leaseDuration must be greater than renewDeadline"):
        LeaderElectionConfig.from_data({"lease-duration": "30s"})


def test_each_bucket_has_a_lease_whose_name_may_be_mapped() -> None:
    config = LeaderElectionConfig.from_data({"buckets": "2"})
    assert config.leases("hearth-serving") == [
        "hearth-serving.00-of-02",
        "hearth-serving.01-of-02",
    ]
    mapped = LeaderElectionConfig.from_data({"map-lease-prefix.hearth-serving": "Control"})
    assert mapped.leases("hearth-serving") == ["control.00-of-01"]


@pytest.mark.parametrize(
    ("host", "address"),
    [("10.1.2.3", ("10.1.2.3", 8080)), ("fd00::1", ("fd00::1", 8080))],
)
def test_an_identity_says_where_its_owner_is(host: str, address: tuple[str, int]) -> None:
    assert address_of(lease(Candidacy("control-5d", host).identity(8080))) == address


@pytest.mark.parametrize("holder", [None, "", "control-5d", "control_10.1.2.3", "a_b:c"])
def test_other_holders_cannot_be_reached(holder: str | None) -> None:
    assert address_of(lease(holder)) is None
