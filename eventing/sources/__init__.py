"""Sources: processes that turn what happens elsewhere into events, and send them to a sink.

``sender`` sends, for all of them and for the command line. The adapters are programs of their own,
run by ``hearth run`` in pods that the controllers of ``eventing.kinds`` make.
"""
