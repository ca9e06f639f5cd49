"""The CustomResourceDefinitions of eventing.

``python -m eventing.api.crds FOLDER [--check]`` writes them, or says which are not up to date.
"""

from __future__ import annotations

import sys

from eventing.api.catalog import SERVED
from hearth.kube.crdgen import main

CRDS = tuple(each.crd for each in SERVED)


if __name__ == "__main__":
    sys.exit(main(CRDS, sys.argv[1:]))
