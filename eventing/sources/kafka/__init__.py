"""The adapter of a KafkaSource: the records of topics, as events."""
