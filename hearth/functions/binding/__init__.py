"""What ``hearth deploy --bind`` names, and what an application is told of it. Pure."""
