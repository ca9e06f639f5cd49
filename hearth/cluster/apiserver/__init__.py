"""The API server's process: credentials, start and stop, and a server for tests."""
