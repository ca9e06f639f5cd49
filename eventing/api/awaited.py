"""Kinds that have their models and rules, and no controller yet.

They are not installed: the API server does not know them, so that none can look as if it worked.
Whoever writes a kind's controller moves the kind to ``catalog``.
"""

from __future__ import annotations

from eventing.api import integrationsink

AWAITED = (integrationsink.DEFINITION,)
