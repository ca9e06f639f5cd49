"""The settings of serving: one frozen dataclass per ConfigMap, read with ``from_data``.

``from_data`` raises a ValueError whose text is Knative's own. The admission webhook refuses a
ConfigMap with it; a live reader keeps the last good settings and logs it.
"""
