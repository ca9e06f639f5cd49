"""Event engines: where events lie between the producer's 202 and the last subscriber's answer.

``seam`` is the contract and ``event`` the events that cross it; ``classes`` is the one list of
engines, by broker class; ``framing`` is what files are made of. To add an engine: a folder here
that implements ``seam.Engine``, and an entry in ``classes.ENGINES``; the suite it has to pass is
``tests/component/eventing/engines``.
"""
