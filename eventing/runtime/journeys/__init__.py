"""Journeys: what became of each event, kept beside its log so that somebody can ask.

``recorder`` notes what deliveries tell their observer, ``records`` is the form of a note,
``journeyfile`` the bounded files that notes lie in, ``keeper`` the thread that writes them and the
questions they answer; ``journey`` puts the notes of one event together again. Nothing here is
needed to deliver an event: what is lost of it (a crash, a full disk) is only not told.
"""
