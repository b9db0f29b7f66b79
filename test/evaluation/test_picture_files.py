"""Pictures on disk: layout that stays, animations that keep the colours that mean something."""

import numpy as np
import pytest
from PIL import Image

from airside_perception.classes import CLASS_COLORS
from airside_perception.config import ExplainConfig
from airside_perception.errors import AirsideError
from airside_perception.evaluation.pictures import OVERVIEW_HEIGHT, overview_frame, write_animation, write_png
from airside_perception.geometry import Camera
from airside_perception.records import CameraImage, RigFrame, SceneEstimate


def scene(cameras: tuple[str, ...]) -> SceneEstimate:
    """Grey images and nothing else."""
    k = np.array([[60.0, 0, 47.5], [0, 60.0, 29.5], [0, 0, 1]])
    images = {
        name: CameraImage(Camera(name, 96, 60, k, np.eye(4)), np.full((60, 96, 3), 90, np.uint8), 0) for name in cameras
    }
    return SceneEstimate(0, RigFrame(0, images, (), np.eye(4)), (), (), (), None, ())


@pytest.mark.parametrize("count", [1, 4, 6])
def test_overview_keeps_its_size_when_a_camera_is_missing(count):
    names = tuple(f"camera_{k}" for k in range(count))
    whole = overview_frame(scene(names), names, None, ExplainConfig())
    partial = overview_frame(scene(names[1:]), names, None, ExplainConfig())
    assert whole.shape == partial.shape
    assert whole.shape[0] == OVERVIEW_HEIGHT
    assert (partial[30:60, 30:60] == 0).all(), "the missing camera's place stays black"


def test_gif_keeps_class_colours_however_few_their_pixels(tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(60, 120, (80, 120, 1), dtype=np.uint8).repeat(3, axis=2) for _ in range(3)]
    for frame in frames:
        frame[10:13, 10:13] = CLASS_COLORS["person"]
    path = write_animation(tmp_path / "a.gif", frames, 5.0)
    with Image.open(path) as animation:
        assert animation.n_frames == 3
        assert animation.info["duration"] == 200
        assert animation.convert("RGB").getpixel((11, 11)) == CLASS_COLORS["person"]


def test_webp_is_animated(tmp_path):
    frames = [np.full((40, 60, 3), shade, np.uint8) for shade in (50, 150, 250)]
    with Image.open(write_animation(tmp_path / "a.webp", frames, 5.0)) as animation:
        assert animation.n_frames == 3


def test_png_is_exact_and_makes_its_folder(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    with Image.open(write_png(tmp_path / "deep" / "a.png", rgb)) as picture:
        assert (np.asarray(picture) == rgb).all()


def test_places_that_take_no_file_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AirsideError, match=r"a\.png: cannot be written"):
        write_png(tmp_path / "file" / "a.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(AirsideError, match="at least one frame"):
        write_animation(tmp_path / "a.gif", [], 5.0)
