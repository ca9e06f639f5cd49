"""JSON Schemas of events: how much work one may be, and whether data satisfies it. Pure.

Whoever may write EventTypes may write schemas: none is fetched, and none may keep the process busy.
"""
