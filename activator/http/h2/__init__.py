"""HTTP/2 (RFC 9113) with HPACK (RFC 7541). Imported when the first peer speaks it.

Sans-IO: ``decoder`` and ``encoder`` are HPACK; ``engine`` reads frames, keeps the state of a
connection and of its streams (``lanes``) and writes frames; ``requests`` and ``responses`` turn
fields into heads and back. Thin protocol classes around them: ``server`` and ``client``.
"""
