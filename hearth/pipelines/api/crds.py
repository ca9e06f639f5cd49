"""The CustomResourceDefinitions of pipelines.

``python -m hearth.pipelines.api.crds FOLDER [--check]`` writes them, or says which differ.
"""

from __future__ import annotations

import sys

from hearth.kube.crdgen import main
from hearth.pipelines.api.pipeline import PIPELINE_CRD, RUN_CRD

CRDS = (PIPELINE_CRD, RUN_CRD)


if __name__ == "__main__":
    sys.exit(main(CRDS, sys.argv[1:]))
