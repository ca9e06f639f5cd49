"""Events of services of AWS: objects of a bucket, messages of a queue, changes of a table.

Each at least once: what AWS has is deleted, or a stream's position moved, when the sink has taken
the event, and not before.
"""
