"""Admission webhooks: registrations, the calls, and the chain that every write passes.

``chain.AdmissionChain`` is the way in; ``registrations``, ``conditions`` and ``review`` are pure,
``caller`` talks to the webhooks.
"""
