"""Events in Kafka: a topic for each log, and one compacted topic for how far consumers are.

Imported when a Broker or channel needs it: its client is an extra
(``pip install hearth-serving[kafka]``).
"""
