"""The adapter of PingSources: one process for all of them.

``schedule`` knows when, ``ticker`` what is due and what was missed, ``events`` what is sent: these
are pure. ``adapter`` follows the PingSources, waits and sends.
"""
