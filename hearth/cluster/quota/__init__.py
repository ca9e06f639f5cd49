"""ResourceQuota and LimitRange: what objects use, and whether that may be. Pure.

``lifecycle.quotas`` and ``lifecycle.limitranges`` ask it for each write.
"""
