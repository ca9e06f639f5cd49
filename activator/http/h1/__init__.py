"""HTTP/1.1 (RFC 9112).

Sans-IO: ``requests`` cuts a client's bytes into pieces for llhttp, ``parsing`` hears what is found
there; ``lines``, ``fieldtable`` and ``framing`` decide what that means. ``responses`` reads those
of an application, with ``statuslines`` and ``watching``; ``writing`` writes. Thin protocol classes
around them: ``client``, and ``server`` for requests and their order, on ``switching`` (to HTTP/2,
to tunnels) and ``endings``; ``streams`` is one request as its application answers it.
"""
