"""Starts, and ends with status 5 ten seconds later."""

import os
import sys
import time

print("Started...", flush=True)
time.sleep(float(os.environ.get("SECONDS", "10")))
print("Crashed...", flush=True)
sys.exit(5)
