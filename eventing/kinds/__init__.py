"""The kinds of eventing in the control plane: each a module that declares its controller.

A kind is a module here with ``observe``, a pure ``reconcile`` and ``controller``, an entry in
``controllers.CONTROLLERS``, its model in ``eventing.api`` and its test.
"""
