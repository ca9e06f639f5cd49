"""Warm interpreters: a Python that has its packages imported is forked instead of started."""
