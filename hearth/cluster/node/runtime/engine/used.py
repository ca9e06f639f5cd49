"""When pods of this node last used an engine's images: what ``hearth image list`` says."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

USED_IMAGES = "images-used.json"
"""The file, in the data folder."""
_MOST = 1000
_OFTEN_SECONDS = 60.0


class UsedImages:
    """Times by an image's id, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = read_used(path)

    def note(self, image: str, now: float) -> bool:
        """An image is used; whether that is worth a ``save``."""
        last, self._times[image] = self._times.get(image, 0.0), now
        return now - last >= _OFTEN_SECONDS

    def save(self) -> None:
        """Writes what is known, of the images used last."""
        times = sorted(self._times.copy().items(), key=lambda each: each[1])[-_MOST:]
        fresh = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk
            fresh.write_text(json.dumps(dict(times)))
            fresh.replace(self._path)


def read_used(path: Path) -> dict[str, float]:
    """Unix times by an image's id; none where there is no such file."""
    try:
        return {str(image): float(time) for image, time in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
