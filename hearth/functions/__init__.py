"""From a folder to a URL: detection, building, deploying, functions."""
