"""config-features: which parts of a pod a revision may use, and optional behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from hearth.knative.configmap import Reader

ENABLED = "Enabled"
DISABLED = "Disabled"
ALLOWED = "Allowed"
ALLOW_ROOT_BOUNDED = "AllowRootBounded"

_SECURE_FLAGS = (DISABLED, ALLOW_ROOT_BOUNDED, ENABLED)
_FLAGS = (ENABLED, ALLOWED, DISABLED)


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    """Each flag is Enabled, Allowed or Disabled; a word that is none of them changes nothing."""

    multi_container: str = ENABLED
    multi_container_probing: str = DISABLED
    autodetect_http2: str = DISABLED
    secure_pod_defaults: str = DISABLED
    tag_header_based_routing: str = DISABLED
    queueproxy_mount_podinfo: str = DISABLED
    queueproxy_resource_defaults: str = DISABLED
    containerspec_addcapabilities: str = DISABLED
    podspec_affinity: str = DISABLED
    podspec_dnsconfig: str = DISABLED
    podspec_dnspolicy: str = DISABLED
    podspec_fieldref: str = DISABLED
    podspec_hostaliases: str = DISABLED
    podspec_hostipc: str = DISABLED
    podspec_hostnetwork: str = DISABLED
    podspec_hostpid: str = DISABLED
    podspec_init_containers: str = DISABLED
    podspec_nodeselector: str = DISABLED
    podspec_persistent_volume_claim: str = DISABLED
    podspec_persistent_volume_write: str = DISABLED
    podspec_priorityclassname: str = DISABLED
    podspec_runtimeclassname: str = DISABLED
    podspec_schedulername: str = DISABLED
    podspec_securitycontext: str = DISABLED
    podspec_shareprocessnamespace: str = DISABLED
    podspec_tolerations: str = DISABLED
    podspec_topologyspreadconstraints: str = DISABLED
    podspec_volumes_csi: str = DISABLED
    podspec_volumes_emptydir: str = ENABLED
    podspec_volumes_ephemeral: str = DISABLED
    podspec_volumes_hostpath: str = DISABLED
    podspec_volumes_image: str = DISABLED
    podspec_volumes_mount_propagation: str = DISABLED

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> FeaturesConfig:
        """Read the ConfigMap's data; a word that is no state of a flag leaves its default."""
        reader = Reader(data)
        flags = {
            flag.name: reader.choice(
                key_of(flag.name),
                default=str(flag.default),
                of=_SECURE_FLAGS if flag.name == "secure_pod_defaults" else _FLAGS,
            )
            for flag in fields(cls)
        }
        return cls(**flags)

    @property
    def secure_defaults(self) -> bool:
        """Whether security contexts are filled in."""
        return self.secure_pod_defaults in (ENABLED, ALLOW_ROOT_BOUNDED)


def key_of(flag: str) -> str:
    """The ConfigMap key of a field: podspec_init_containers -> kubernetes.podspec-init-..."""
    dashed = flag.replace("_", "-")
    if dashed.startswith(("podspec-", "containerspec-")):
        return f"kubernetes.{dashed}"
    if dashed.startswith("queueproxy-"):
        return dashed.replace("queueproxy-", "queueproxy.", 1)
    return dashed
