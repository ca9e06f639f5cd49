"""What a folder holds and which command runs it: decisions over its files, no I/O."""
