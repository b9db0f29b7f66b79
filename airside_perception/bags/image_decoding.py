"""From the bytes of `sensor_msgs/Image` and `CompressedImage` to RGB arrays.

Used for bags and for live messages alike; cv_bridge is not needed.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG", b"IEND"
_END_SEARCH = 64
"""Some cameras pad compressed images: the end marker is looked for in this many last bytes."""


class CorruptImage(ValueError):
    """An image that cannot be decoded; the message names what is wrong. Skip it and count it."""


class UnknownEncoding(CorruptImage):
    """Raw pixels of an encoding that `decode_image` does not understand."""


def _same(image: np.ndarray) -> np.ndarray:
    return image


def _opencv(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: cv2.cvtColor(image, code)


_GRAY = _opencv(cv2.COLOR_GRAY2RGB)
_BGR = _opencv(cv2.COLOR_BGR2RGB)

# encoding -> (channels, bytes per channel, conversion to RGB of the same depth).
# ROS names a Bayer pattern by its first two rows, as OpenCV's four-letter aliases do.
_ENCODINGS: dict[str, tuple[int, int, Callable[[np.ndarray], np.ndarray]]] = {
    "rgb8": (3, 1, _same),
    "bgr8": (3, 1, _BGR),
    "8UC3": (3, 1, _BGR),
    "rgba8": (4, 1, _opencv(cv2.COLOR_RGBA2RGB)),
    "bgra8": (4, 1, _opencv(cv2.COLOR_BGRA2RGB)),
    "8UC4": (4, 1, _opencv(cv2.COLOR_BGRA2RGB)),
    "mono8": (1, 1, _GRAY),
    "8UC1": (1, 1, _GRAY),
    "rgb16": (3, 2, _same),
    "bgr16": (3, 2, _BGR),
    "rgba16": (4, 2, _opencv(cv2.COLOR_RGBA2RGB)),
    "bgra16": (4, 2, _opencv(cv2.COLOR_BGRA2RGB)),
    "mono16": (1, 2, _GRAY),
    # yuv422 is ROS's old name of U Y V Y byte order.
    "yuv422": (2, 1, _opencv(cv2.COLOR_YUV2RGB_UYVY)),
    "uyvy": (2, 1, _opencv(cv2.COLOR_YUV2RGB_UYVY)),
    "yuv422_yuy2": (2, 1, _opencv(cv2.COLOR_YUV2RGB_YUY2)),
    "yuyv": (2, 1, _opencv(cv2.COLOR_YUV2RGB_YUY2)),
}
for _pattern in ("rggb", "bggr", "gbrg", "grbg"):
    _code = getattr(cv2, f"COLOR_Bayer{_pattern.upper()}2RGB")
    _ENCODINGS[f"bayer_{_pattern}8"] = (1, 1, _opencv(_code))
    _ENCODINGS[f"bayer_{_pattern}16"] = (1, 2, _opencv(_code))

_SUBSAMPLED = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv")
SUPPORTED_ENCODINGS = tuple(_ENCODINGS)
"""Raw encodings that `decode_image` understands."""


def decode_image(
    encoding: str, height: int, width: int, step: int, is_bigendian: bool, data: bytes | np.ndarray
) -> np.ndarray:
    """Raw image bytes to RGB.

    Args:
        encoding: as in `sensor_msgs/Image`, one of SUPPORTED_ENCODINGS.
        height, width: pixels.
        step: bytes per row, padding included; 0 means no padding.
        is_bigendian: byte order of 16-bit encodings.
        data: the bytes, or a (N,) uint8 array; not copied unless the conversion needs it.

    Returns:
        (height, width, 3) uint8 RGB; it may share memory with `data`. Of 16-bit encodings the high byte.

    Raises:
        UnknownEncoding: one that is not in SUPPORTED_ENCODINGS.
        CorruptImage: sizes that do not fit together.
    """
    if encoding not in _ENCODINGS:
        raise UnknownEncoding(f"unknown image encoding {encoding!r}; supported are {', '.join(SUPPORTED_ENCODINGS)}")
    channels, depth, to_rgb = _ENCODINGS[encoding]
    row_bytes = width * channels * depth
    step = int(step) or row_bytes
    if height < 1 or width < 1 or step < row_bytes or (encoding in _SUBSAMPLED and width % 2):
        raise CorruptImage(f"{encoding} image of {width}x{height} pixels cannot have rows of {step} bytes")
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.view(np.uint8).reshape(-1)
    # The last row may come without its padding.
    if flat.size < step * (height - 1) + row_bytes:
        raise CorruptImage(f"{encoding} image of {width}x{height} needs {step * height} bytes, got {flat.size}")
    rows = np.lib.stride_tricks.as_strided(flat, (height, row_bytes), (step, 1), writeable=False)
    if step != row_bytes or depth == 2:
        rows = np.ascontiguousarray(rows)
    if depth == 2:
        rows = rows.view(">u2" if is_bigendian else "<u2").astype(np.uint16)
    try:
        rgb = to_rgb(rows.reshape((height, width, channels) if channels > 1 else (height, width)))
    except cv2.error as error:
        raise CorruptImage(f"{encoding} image of {width}x{height}: {error.err}") from error
    return rgb if depth == 1 else (rgb >> 8).astype(np.uint8)


def decode_compressed(data: bytes | np.ndarray) -> np.ndarray:
    """JPEG or PNG (or whatever else OpenCV reads) to RGB.

    Args:
        data: the file's bytes, or a (N,) uint8 array.

    Returns:
        (H, W, 3) uint8 RGB, in the sensor's orientation (EXIF rotation is ignored: the
        calibration knows nothing of it).

    Raises:
        CorruptImage: not an image, or a truncated one (decoders would fill the rest with grey).
    """
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.view(np.uint8).reshape(-1)
    head, tail = flat[:8].tobytes(), flat[-_END_SEARCH:].tobytes()
    if head.startswith(_JPEG_START) and _JPEG_END not in tail:
        raise CorruptImage(f"truncated JPEG of {flat.size} bytes: no end marker")
    if head.startswith(_PNG_START) and _PNG_END not in tail:
        raise CorruptImage(f"truncated PNG of {flat.size} bytes: no end chunk")
    try:
        image = cv2.imdecode(flat, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if flat.size else None
    except cv2.error as error:
        raise CorruptImage(f"compressed image of {flat.size} bytes: {error.err}") from error
    if image is None:
        raise CorruptImage(f"compressed image of {flat.size} bytes is neither JPEG nor PNG, or is damaged")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
