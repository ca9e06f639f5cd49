"""The runtime that needs no engine: runc or crun, from unpacked layers, as root."""
