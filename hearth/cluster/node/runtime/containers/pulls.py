"""When images are pulled, in kubelet's words (``pkg/kubelet/images``). Pure."""

from __future__ import annotations

from hearth.cluster.node.runtime.api import CreateError


def needs_pull(image: str, policy: str, *, is_present: bool) -> bool:
    """Whether the image must be pulled now; raises CreateError where it must not and is absent."""
    if policy == "Never" and not is_present:
        text = f'Container image "{image}" is not present with pull policy of Never'
        raise CreateError("ErrImageNeverPull", text)
    return policy == "Always" or not is_present


def present(image: str) -> str:
    """The message of ``Pulled`` for an image that was there."""
    return f'Container image "{image}" already present on machine'


def pulling(image: str) -> str:
    """The message of ``Pulling``."""
    return f'Pulling image "{image}"'


def pulled(image: str, *, seconds: float, waited: float, size: int) -> str:
    """The message of ``Pulled``; ``waited`` includes the wait for other pulls."""
    return (
        f'Successfully pulled image "{image}" in {_duration(seconds)} '
        f"({_duration(waited)} including waiting). Image size: {size} bytes."
    )


def _duration(seconds: float) -> str:
    """As Go prints a duration cut to milliseconds."""
    milli = int(seconds * 1000)
    if milli < 1000:
        return f"{milli}ms" if milli else "0s"
    minutes, rest = divmod(milli, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{text}" if minutes else text
