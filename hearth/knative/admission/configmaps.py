"""The answer of the webhook that checks a project's ConfigMaps. Pure.

As ``knative.dev/pkg/webhook/configmaps``: a ConfigMap that its parser refuses is refused with the
parser's words, and an edit of the example text is noticed by the checksum beside it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from hearth.knative.admission.decisions import deny, is_asked
from hearth.knative.configmap import EXAMPLE
from hearth.knative.settings import Parse
from hearth.kube import meta
from hearth.kube.admission import ALLOWED, AdmissionRequest, AdmissionResponse

EXAMPLE_CHECKSUM = "knative.dev/example-checksum"


def example_checksum(example: str) -> str:
    """Give the checksum that the annotation carries, so that an edit of the example shows."""
    # Line ends count as the two characters \n: an oddity of the original, kept for its sums.
    flat = re.sub(r"(?:\r?\n)+", r"\\n", example.strip())
    return f"{zlib.crc32(flat.encode()):08x}"


def validate_config_map(
    parsers: Mapping[str, Parse], request: AdmissionRequest
) -> AdmissionResponse:
    """Check a ConfigMap with the parser of its name; names without a parser pass."""
    obj = request.object
    if not is_asked(request) or obj is None or meta.name(obj) not in parsers:
        return ALLOWED
    data: Mapping[str, str] = obj.get("data") or {}
    checksum = meta.annotations(obj).get(EXAMPLE_CHECKSUM)
    if EXAMPLE in data and checksum is not None and checksum != example_checksum(data[EXAMPLE]):
        return deny(
            'validation failed: the update modifies a key in "_example" which is probably not '
            "what you want. Instead, copy the respective setting to the top-level of the "
            'ConfigMap, directly below "data"'
        )
    try:
        parsers[meta.name(obj)](data)
    except ValueError as error:
        return deny(f"validation failed: {error}")
    return ALLOWED
