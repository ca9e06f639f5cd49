"""Leader election by a Lease, as client-go does it: the decisions of one candidate. Pure.

Theory of operation:

* Nobody reads the times in a Lease. A candidate notes by its own clock when it saw the Lease
  change last; when it has not changed for its duration, the holder is taken for gone. So clocks
  may differ by any amount.
* Every write names the version it replaces. Of two candidates that take a Lease over, one wins.
* A holder counts the time from *before* it sent the last write that succeeded, and stops leading
  after ``renew_deadline``. Another waits for ``lease_duration`` from *after* it saw that write. So
  there are never two leaders while no clock runs faster than another by more than
  ``lease_duration / renew_deadline``.
* A Lease that somebody deletes does not set its holder free: the others still wait.
* A holder that is known to be no more is not waited for. Should it live all the same (its pod was
  removed by force, from a node that does not hear of it), it leads on until it sees the Lease
  change, or its next renewal is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hearth.kube.clock import rfc3339_micro
from hearth.kube.meta import Key, Object, metadata

JITTER_FACTOR = 1.2
"""client-go's: the renew deadline must leave room for one retry, drawn out by this."""
TAKEOVER_JITTER_SECONDS = 0.25
"""Candidates that wait for the same Lease to expire come at different moments within this time."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a Lease holds. The defaults are knative.dev/pkg's."""

    lease_duration: float = 60.0
    """For how long others leave a Lease alone that is not renewed."""
    renew_deadline: float = 40.0
    """For how long a holder leads without having renewed it."""
    retry_period: float = 10.0
    """How often a holder renews it, and how long anybody waits after a failure."""

    def __post_init__(self) -> None:
        if self.lease_duration < 1:
            raise ValueError("leaseDuration must be at least one second")
        if self.lease_duration <= self.renew_deadline:
            raise ValueError("leaseDuration must be greater than renewDeadline")
        if self.renew_deadline <= JITTER_FACTOR * self.retry_period:
            raise ValueError("renewDeadline must be greater than retryPeriod*JitterFactor")
        if self.retry_period <= 0:
            raise ValueError("retryPeriod must be greater than zero")


def holder_of(lease: Object | None) -> str:
    """Return who holds a Lease; "" where nobody does."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


class Candidate:
    """What one candidate knows of one Lease. ``now`` is the candidate's own clock."""

    def __init__(self, lease: Key, identity: str, timing: Timing) -> None:
        self.lease = lease
        self.identity = identity
        self._timing = timing
        self._stored: Object | None = None
        """The Lease as seen last; None where there is none."""
        self._record: Object = {}
        """Its spec when it changed last, deleted or not."""
        self._changed_at = -math.inf
        self._renewed_at = -math.inf
        self._failed_at = -math.inf
        self._gone = ""
        """Who is known to be no more."""

    # -- what is seen ------------------------------------------------------------------------

    def observe(self, lease: Object | None, now: float) -> None:
        """Take the Lease as the server has it; None when it has none."""
        self._stored = lease
        if lease is None:
            return
        record = lease.get("spec") or {}
        if record != self._record:
            self._record, self._changed_at = record, now
        if holder_of(lease) != self.identity:
            self._renewed_at = -math.inf

    def wrote(self, lease: Object, started: float, now: float) -> None:
        """A write that was begun at ``started`` has succeeded, and this is the Lease since."""
        self.observe(lease, now)
        self._failed_at = -math.inf
        if holder_of(lease) == self.identity:
            self._renewed_at = started

    def failed(self, now: float) -> None:
        """A write failed, or nobody knows whether it did."""
        self._failed_at = now

    def miss(self, holder: str) -> None:
        """A holder, of which the name is never another's, is no more."""
        self._gone = holder

    # -- what follows ------------------------------------------------------------------------

    def leads(self, now: float) -> bool:
        """Whether the Lease is surely this candidate's."""
        return now < self._renewed_at + self._timing.renew_deadline

    @property
    def rival(self) -> str:
        """Who else holds the Lease; "" where nobody does, or one that is no more."""
        return "" if self._is_vacant else str(self._record["holderIdentity"])

    @property
    def leads_until(self) -> float:
        """When it stops leading if nothing succeeds meanwhile."""
        return self._renewed_at + self._timing.renew_deadline

    def due(self, now: float, roll: float) -> float:
        """Return when to write next; ``roll`` is from [0, 1)."""
        timing = self._timing
        if self.leads(now):
            due = self._renewed_at + timing.retry_period
        elif self._is_vacant:
            due = now
        else:
            due = self._expires_at + roll * TAKEOVER_JITTER_SECONDS
        return max(due, self._failed_at + timing.retry_period * (1 + roll * (JITTER_FACTOR - 1)))

    def attempt(self, now: float, wall: float) -> Object | None:
        """Return the Lease to write so as to lead on; None while it is another's."""
        if not (self._is_vacant or now >= self._expires_at):
            return None
        moment = rfc3339_micro(wall)
        acquired, transitions = moment, int(self._record.get("leaseTransitions") or 0)
        if self._is_own:
            acquired = self._record.get("acquireTime") or moment
        elif self._record:
            transitions += 1
        return self._with_spec(
            {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": math.ceil(self._timing.lease_duration),
                "acquireTime": acquired,
                "renewTime": moment,
                "leaseTransitions": transitions,
            }
        )

    def release(self, now: float, wall: float) -> Object | None:
        """Give the Lease up: return it as to be written, None where it is not held."""
        if not self.leads(now) or self._stored is None:
            return None
        self._renewed_at = -math.inf
        moment = rfc3339_micro(wall)
        return self._with_spec(
            {
                "holderIdentity": "",
                "leaseDurationSeconds": 1,
                "acquireTime": moment,
                "renewTime": moment,
                "leaseTransitions": int(self._record.get("leaseTransitions") or 0),
            }
        )

    @property
    def _is_own(self) -> bool:
        return self._record.get("holderIdentity") == self.identity

    @property
    def _is_vacant(self) -> bool:
        """Whether nobody else who may be there holds it, nor did when it was deleted."""
        holder = self._record.get("holderIdentity")
        return not holder or self._is_own or holder == self._gone

    @property
    def _expires_at(self) -> float:
        return self._changed_at + float(self._record.get("leaseDurationSeconds") or 0)

    def _with_spec(self, spec: Object) -> Object:
        namespace, name = self.lease
        known = {} if self._stored is None else metadata(self._stored)
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**known, "namespace": namespace, "name": name},
            "spec": spec,
        }
