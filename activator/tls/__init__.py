"""TLS of the gateway's listeners: certificates by name, and a protocol between socket and HTTP.

``names`` and ``certificates`` (pure) say which certificate is shown to whom, ``contexts`` makes of
a Secret what OpenSSL takes, ``transport`` is TLS itself: a protocol between the socket's transport
and the half that speaks HTTP, which sees plain bytes on a transport like any other. ``terminator``
is what all connections share. Who has no certificate has no listener, and imports nothing of this.

TLS is Python's ``ssl`` over memory (``SSLObject``), as in asyncio and uvloop, and not their
wrapping of it: theirs tells nobody how many handshakes are under way, cannot end one direction
alone (an early answer to a long body would be lost with the connection). It costs what theirs does
(``make bench ONLY=tls`` has both).
"""
