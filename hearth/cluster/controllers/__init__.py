"""The controllers pods need: Deployment, ReplicaSet, EndpointSlice, Job, CronJob.

Each module holds one pure ``reconcile``; ``main`` wires them to caches and queues.
"""
