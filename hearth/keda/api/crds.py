"""The CustomResourceDefinitions of KEDA's kinds.

``python -m hearth.keda.api.crds FOLDER [--check]`` writes them, or says which are not up to date.
"""

from __future__ import annotations

import sys

from hearth.keda.api import (
    cloudeventsource,
    httpscaledobject,
    interceptorroute,
    scaledjob,
    scaledobject,
    triggerauthentication,
)
from hearth.kube.crdgen import main

CRDS = (
    scaledobject.CRD,
    scaledjob.CRD,
    triggerauthentication.CRD,
    triggerauthentication.CLUSTER_CRD,
    cloudeventsource.CRD,
    cloudeventsource.CLUSTER_CRD,
    httpscaledobject.CRD,
    interceptorroute.CRD,
)


if __name__ == "__main__":
    sys.exit(main(CRDS, sys.argv[1:]))
