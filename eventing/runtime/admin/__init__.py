"""Questions about events, and what operators do with them: the process's own HTTP interface.

``server`` is the listener and who may ask, ``questions`` what there is to ask, ``shapes`` the JSON
of answers, ``graph`` what flows where, ``begin`` how somebody says where to read from.
"""
