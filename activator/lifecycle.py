"""The states of one request on its way through the activator, and every move between them. Pure.

Theory of operation:

* An exchange is one request with its response. What happens to it is an ``Event``; what it may do
  next is its ``State``. All moves are in ``TRANSITIONS`` and nowhere else; a move that is not there
  is a fault of ours and raises KeyError.
* Until SENT nothing of the request has reached an application, so it may go elsewhere: a refused
  connection leads back to WAITING. From SENT on it goes to the same pod again, by another
  connection, where the peer says that nothing there has looked at it (HTTP/2: a refused stream, or
  one that a GOAWAY leaves out), or where the connection ended without a byte of an answer and the
  request may reach an application twice (``retries``). Else it is never repeated.
* From RESPONDING on the client has the beginning of a response, so a failure cannot be told any
  more: the response is cut. Until then it is an answer of ours.
* TUNNEL is the one state in which both directions carry something else than HTTP. The response has
  started by then.
* There is one way out: ``END``, from every state, whatever the cause (the last byte, a failure, a
  client that is gone). It gives the pod back and counts the request; DONE has no moves.

                          REFUSED
                   +---------------------+
                   v                     |
    NEW --QUEUED-> WAITING --ADMITTED-> CONNECTING --SENT-> SENT --RESPONDED-> RESPONDING
     |                                   ^     ^              |
     +------------ADMITTED---------------+     +---UNSEEN-----+---SWITCHED---> TUNNEL
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class State(IntEnum):
    """How far a request has come. The order means something: what is reached stays reached."""

    NEW = 0
    """Its head is known; its destination may not be."""
    WAITING = 1
    """In the backlog of its revision."""
    CONNECTING = 2
    """It has a pod, and waits for a connection there."""
    SENT = 3
    """At least its head has been given to a connection."""
    RESPONDING = 4
    """The response's head has been passed on."""
    TUNNEL = 5
    """The application has agreed to another protocol."""
    DONE = 6
    """Over: counted, and without a pod."""


class Event(IntEnum):
    """What happens to a request."""

    QUEUED = 0
    """No pod can take it now."""
    ADMITTED = 1
    """A pod has been taken for it."""
    SENT = 2
    """It has been given to a connection."""
    REFUSED = 3
    """The pod cannot be reached, so it waits again."""
    RESPONDED = 4
    """The head of a response that goes on has come."""
    SWITCHED = 5
    """The application has answered 101."""
    END = 6
    """The end, whatever the cause."""
    UNSEEN = 7
    """The peer has sent it back without a look, or that is taken to be so."""


TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.NEW: {
        Event.QUEUED: State.WAITING,
        Event.ADMITTED: State.CONNECTING,
        Event.END: State.DONE,
    },
    State.WAITING: {Event.ADMITTED: State.CONNECTING, Event.END: State.DONE},
    State.CONNECTING: {
        Event.SENT: State.SENT,
        Event.REFUSED: State.WAITING,
        Event.END: State.DONE,
    },
    State.SENT: {
        Event.RESPONDED: State.RESPONDING,
        Event.SWITCHED: State.TUNNEL,
        Event.UNSEEN: State.CONNECTING,
        Event.END: State.DONE,
    },
    State.RESPONDING: {Event.END: State.DONE},
    State.TUNNEL: {Event.END: State.DONE},
    State.DONE: {},
}

MOVES: Mapping[Event, Mapping[State, State]] = {
    event: {state: row[event] for state, row in TRANSITIONS.items() if event in row}
    for event in Event
}
"""The same by event, for who knows what happens and asks where that leads."""
