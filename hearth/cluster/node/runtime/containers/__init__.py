"""What all container runtimes share: decisions about one container, pure."""
