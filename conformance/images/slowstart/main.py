"""Takes ``-sleep N`` seconds, and ends."""

import argparse
import time

parser = argparse.ArgumentParser()
parser.add_argument("-sleep", "--sleep", type=int, default=0, help="seconds")
given = parser.parse_args().sleep
time.sleep(given)
print(f"Slept for: {given}s", flush=True)
