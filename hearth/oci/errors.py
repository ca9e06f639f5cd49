"""What can be wrong with an image, told apart; the texts are for a pod's status. Pure."""

from __future__ import annotations


class OciError(Exception):
    """An image could not be had."""


class Unreachable(OciError):
    """The registry does not answer: no such host, refused, timed out."""


class Unauthorized(OciError):
    """The registry wants credentials, or others than it got."""


class ManifestUnknown(OciError):
    """The registry has no such image, or no such version of it."""


class NoPlatform(OciError):
    """The image is there, but not for this machine."""


class CutOff(OciError):
    """What came is not all there is, or not what it should be."""


class InvalidContent(OciError):
    """A manifest, config or layer that cannot be used as it is."""


class RegistryError(OciError):
    """Any other refusal of a registry."""
