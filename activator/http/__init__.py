"""HTTP apart from what is done with it: neutral events, and two halves for each protocol version.

``events`` is the seam: heads, streams and the handlers that hear of them. A server half turns a
connection's bytes into streams for an application (a proxy, the broker's ingress), a client half
sends requests and turns the answers into events. ``h1`` is HTTP/1.1; another version is another
pair, and nothing that works with streams has to know of it.

Nothing here imports anything else of the activator.
"""
