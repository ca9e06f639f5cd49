"""What can be done to objects: each write and deletion with all its steps, whoever asks."""
