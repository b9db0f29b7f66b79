"""Every encoding: an image packed by hand comes back as the RGB that it showed."""

import cv2
import numpy as np
import pytest

from airside_perception.bags import CorruptImage, decode_compressed, decode_image
from airside_perception.bags.image_decoding import SUPPORTED_ENCODINGS

HEIGHT, WIDTH = 12, 16
RNG = np.random.default_rng(2)
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
GRAY = RGB[..., :1]
ALPHA = RNG.integers(0, 256, (HEIGHT, WIDTH, 1), np.uint8)

PACKED = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "rgba8": np.concatenate([RGB, ALPHA], -1),
    "bgra8": np.concatenate([RGB[..., ::-1], ALPHA], -1),
    "8UC3": RGB[..., ::-1],
    "8UC4": np.concatenate([RGB[..., ::-1], ALPHA], -1),
    "mono8": GRAY,
    "8UC1": GRAY,
}


def smooth() -> np.ndarray:
    """Slow colour gradients, which chroma subsampling and demosaicing reproduce."""
    v, u = np.mgrid[0:40, 0:64] / 64.0
    return (255 * np.stack([0.2 + 0.5 * u, 0.3 + 0.6 * v, 0.8 - 0.5 * u], -1)).astype(np.uint8)


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("padding", [0, 5])
def test_eight_bit_encodings_with_and_without_padding(encoding, padding):
    rows = PACKED[encoding].reshape(HEIGHT, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=99).tobytes()
    expected = np.repeat(GRAY, 3, -1) if encoding in ("mono8", "8UC1") else RGB
    decoded = decode_image(encoding, HEIGHT, WIDTH, rows.shape[1] + padding, False, data)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16", "mono16"])
def test_sixteen_bits_keep_the_high_byte(encoding, big_endian):
    narrow = PACKED[encoding.replace("16", "8")]
    wide = (narrow.astype(np.uint16) << 8) + 37
    data = wide.astype(">u2" if big_endian else "<u2").tobytes()
    step = len(data) // HEIGHT
    decoded = decode_image(encoding, HEIGHT, WIDTH, step, big_endian, data)
    assert np.array_equal(decoded, np.repeat(GRAY, 3, -1) if encoding == "mono16" else RGB)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns(pattern, bits):
    """The mosaic is cut by the letters of the pattern: first row, then second row."""
    rgb = smooth()
    mosaic = np.zeros(rgb.shape[:2], np.uint8)
    for i, letter in enumerate(pattern):
        row, column = divmod(i, 2)
        mosaic[row::2, column::2] = rgb[row::2, column::2, "rgb".index(letter)]
    data = mosaic.tobytes() if bits == 8 else (mosaic.astype("<u2") << 8).tobytes()
    decoded = decode_image(f"bayer_{pattern}{bits}", *mosaic.shape, mosaic.shape[1] * bits // 8, False, data)
    inner = np.s_[3:-3, 3:-3]
    assert np.abs(decoded[inner].astype(int) - rgb[inner]).max() <= 3


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_yuv422(encoding, order):
    rgb = smooth().astype(np.float64)
    # BT.601, studio range, as cameras send it.
    y = 16 + rgb @ [0.257, 0.504, 0.098]
    u = 128 + rgb @ [-0.148, -0.291, 0.439]
    v = 128 + rgb @ [0.439, -0.368, -0.071]
    packed = np.zeros((*y.shape, 2))
    luma = order.index("y")
    packed[..., luma] = y
    packed[:, 0::2, 1 - luma], packed[:, 1::2, 1 - luma] = u[:, 0::2], v[:, 0::2]
    data = packed.round().astype(np.uint8).tobytes()
    decoded = decode_image(encoding, *y.shape, 2 * y.shape[1], False, data)
    assert np.abs(decoded.astype(int) - rgb).max() <= 6
    assert np.array_equal(decoded, decode_image(order, *y.shape, 2 * y.shape[1], False, data))


def test_the_last_row_may_lack_its_padding():
    rows = np.pad(RGB.reshape(HEIGHT, -1), ((0, 0), (0, 8)))
    data = rows.tobytes()[:-8]
    assert np.array_equal(decode_image("rgb8", HEIGHT, WIDTH, rows.shape[1], False, data), RGB)


def test_rgb8_is_not_copied():
    data = RGB.tobytes()
    assert np.shares_memory(decode_image("rgb8", HEIGHT, WIDTH, 3 * WIDTH, False, data), np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("encoding", SUPPORTED_ENCODINGS)
def test_too_few_bytes(encoding):
    with pytest.raises(CorruptImage, match=r"needs .* bytes, got 7"):
        decode_image(encoding, HEIGHT, WIDTH, 8 * WIDTH, False, b"7 bytes")


@pytest.mark.parametrize(
    ("encoding", "height", "width", "step"), [("rgb8", 2, 4, 6), ("rgb8", 0, 4, 12), ("yuv422", 2, 3, 6)]
)
def test_sizes_that_do_not_fit(encoding, height, width, step):
    with pytest.raises(CorruptImage, match="cannot have rows of"):
        decode_image(encoding, height, width, step, False, bytes(100))


def test_unknown_encoding_names_the_known():
    with pytest.raises(CorruptImage, match="'32FC1'; supported are rgb8"):
        decode_image("32FC1", 2, 2, 8, False, bytes(16))


def encoded(extension: str, image: np.ndarray) -> bytes:
    return cv2.imencode(extension, image)[1].tobytes()


def test_png_is_exact():
    assert np.array_equal(decode_compressed(encoded(".png", RGB[..., ::-1])), RGB)
    assert np.array_equal(decode_compressed(encoded(".png", GRAY)), np.repeat(GRAY, 3, -1))
    assert np.array_equal(decode_compressed(encoded(".png", GRAY.astype(np.uint16) * 257)), np.repeat(GRAY, 3, -1))


def test_jpeg_is_close():
    decoded = decode_compressed(encoded(".jpg", smooth()[..., ::-1]))
    assert np.abs(decoded.astype(int) - smooth()).mean() < 3


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_truncated_files_are_corrupt(extension):
    data = encoded(extension, smooth())
    with pytest.raises(CorruptImage, match="truncated"):
        decode_compressed(data[: len(data) // 2])
    assert decode_compressed(data + bytes(16)).shape == (40, 64, 3)  # padding is no damage


@pytest.mark.parametrize("data", [b"", b"hello", bytes(200)])
def test_nonsense_is_corrupt(data):
    with pytest.raises(CorruptImage, match="neither JPEG nor PNG"):
        decode_compressed(data)
