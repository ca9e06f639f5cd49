"""What the runtimes of containers have in common: pods, their networks, and what waits for them."""
