"""The controllers of serving: one pure ``reconcile`` per kind, and the shell that runs them."""
