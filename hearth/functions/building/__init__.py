"""Makes what was detected ready to run on this machine: a copy of the files, and their packages."""
