"""Label images on disk: a write that fails says so."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a PNG (channels of colour in OpenCV's order).

    OpenCV's own writer answers a full disk with a value that is easily dropped, and leaves half a file.

    Args:
        path: of the file; its folder exists.
        image: (H, W) or (H, W, 3), uint8 or uint16.

    Raises:
        OSError: the file cannot be written.
    """
    _, data = cv2.imencode(".png", image)
    path.write_bytes(data.tobytes())
