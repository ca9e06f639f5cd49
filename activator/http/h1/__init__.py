"""HTTP/1.1 (RFC 9112).

Sans-IO: ``requests`` and ``responses`` read, ``writing`` writes. Thin protocol classes around them:
``server`` and ``client``.
"""
