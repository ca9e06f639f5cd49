"""The runtime that runs containers as plain processes of this machine."""
