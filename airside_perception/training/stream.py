"""Training samples straight from the generator, never the same twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.geometry.boxes import transform_boxes
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import invert_transform
from airside_perception.records import GridSpec
from airside_perception.synth.ego_routes import free_place
from airside_perception.synth.frames import LabelledFrame, render_frame
from airside_perception.synth.lighting import random_lighting
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.synth.randomised_look import randomised_lighting, randomised_sensor
from airside_perception.synth.raster_backend import ImageLayers, RasterBackend
from airside_perception.synth.rigs import random_rig
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import Scene
from airside_perception.synth.sensor import random_sensor
from airside_perception.training.adjacent_frames import AdjacentFrame, moving_pixels
from airside_perception.training.earlier_frames import EarlierFrame
from airside_perception.training.occupancy_data import LABEL_STRIDE, TrainingSample

SCENE_SECONDS = 8.0

FRAMES_PER_SCENE, FRAMES_PER_INSTANT = 24, 3
"""Building a scene costs as much as three frames. To keep its frames unlike each other, the vehicle is on the scene's
own route at half of the instants only, and anywhere else at the others."""

EARLIER_GAP_S = (0.08, 1.0)
"""Seconds between the frames of a memory: vehicles run at 10 Hz, and at 1 Hz on a busy CPU."""

SMOOTH_SHARE = 0.75
"""Frames with smooth edges, as lenses and path tracers have them; the others show the steps of the pixel grid."""

RANDOMISED_SHARE = 0.25
"""Training scenes with made-up textures, lights and cameras."""


def training_samples(
    seed: int,
    split: str,
    grid: GridSpec,
    image_size: tuple[int, int],
    frames_per_scene: int = FRAMES_PER_SCENE,
    cameras: int | None = None,
    own_assets: Sequence[OwnAsset] = (),
    randomised_share: float = RANDOMISED_SHARE,
    adjacent_s: Sequence[float] = (),
    earlier_frames: int = 0,
) -> Iterator[TrainingSample]:
    """Frames of one scene, each with its own rig, light and sensor.

    Building a scene costs more than rendering a frame, so some frames share it; three of them show the same
    instant through different rigs in different light. At every second instant the vehicle stands at another place.

    Args:
        seed: decides the scene and all frames.
        split: asset families.
        grid: voxels to label.
        image_size: (width, height) of all images, multiples of the label stride.
        frames_per_scene: frames to yield.
        cameras: cameras of each rig; None draws.
        own_assets: meshes from files that join in.
        randomised_share: training scenes whose look is far beyond realism; other splits stay realistic.
        adjacent_s: moments, in seconds after each frame, whose label images come along (negative: before).
        earlier_frames: moments before each frame whose images come along, EARLIER_GAP_S apart.
    """
    # Measured: without this, resident memory triples over 150 scenes before Python's own collection stops it.
    gc.collect()
    rng = np.random.default_rng([seed, 991])
    look = "randomised" if split == "train" and rng.random() < randomised_share else "realistic"
    rig = random_rig(rng, image_size, cameras)
    scene = build_scene(seed, split, rig, SCENE_SECONDS, own_assets=own_assets, look=look)
    backend = RasterBackend(scene)
    route = ego = scene.ego
    time_s, occupancy = 0.0, None
    for index in range(frames_per_scene):
        if look == "randomised":
            lighting, sensor = randomised_lighting(rng), randomised_sensor(rng)
        else:
            lighting, condition = random_lighting(rng)
            sensor = random_sensor(rng, condition == "night", lighting.rain > 0)
        backend.smooth = bool(rng.random() < SMOOTH_SHARE)
        if index % FRAMES_PER_INSTANT == 0:
            time_s, occupancy = float(rng.uniform(0, SCENE_SECONDS)), None
            elsewhere = index // FRAMES_PER_INSTANT % 2 == 1
            ego = (free_place(rng, scene, time_s) if elsewhere else None) or route
        scene = replace(scene, lighting=lighting, sensor=sensor, ego=ego)
        backend.relight(lighting, sensor, ego)
        rig = random_rig(rng, image_size, cameras)
        frame = render_frame(backend, scene, rig, time_s, rng, grid, occupancy=occupancy)
        occupancy = frame.occupancy
        adjacent = tuple(_adjacent(backend, scene, rig, frame, time_s + shift, rng) for shift in adjacent_s)
        gap_s = float(np.exp(rng.uniform(*np.log(EARLIER_GAP_S)))) if earlier_frames else 0.0
        ages_s = [gap_s * back for back in range(earlier_frames, 0, -1)]
        earlier = tuple(_earlier(backend, scene, rig, frame, time_s, age_s, rng) for age_s in ages_s)
        yield replace(_to_sample(rig, frame), adjacent=adjacent, earlier=earlier)


def _earlier(
    backend: RasterBackend,
    scene: Scene,
    rig: Rig,
    now: LabelledFrame,
    time_s: float,
    age_s: float,
    rng: np.random.Generator,
) -> EarlierFrame:
    """Images of `age_s` before `time_s`, the moment of `now`, through the same rig in the same light."""
    then = render_frame(backend, scene, rig, time_s - age_s, rng, None)
    images = np.stack([then.layers[name].rgb for name in rig.names])
    motion = invert_transform(now.odom_from_base) @ then.odom_from_base
    return EarlierFrame(images, tuple(rig.cameras.values()), motion, age_s)


def _adjacent(
    backend: RasterBackend, scene: Scene, rig: Rig, now: LabelledFrame, time_s: float, rng: np.random.Generator
) -> AdjacentFrame:
    """Labels of another moment, seen from the vehicle's place at `now`."""
    then = render_frame(backend, scene, rig, time_s, rng, None)
    depth, semantic = _labels([then.layers[name] for name in rig.names])
    base_from_odom = invert_transform(then.odom_from_base)
    boxes = transform_boxes(base_from_odom, then.boxes)
    velocity = np.array([o["velocity"][:2] for o in then.objects]).reshape(-1, 2)
    moving = moving_pixels(tuple(rig.cameras.values()), depth, semantic, boxes, velocity)
    frame = AdjacentFrame(tuple(rig.cameras.values()), depth, semantic, moving)
    return frame.moved(invert_transform(now.odom_from_base) @ then.odom_from_base)


def _labels(layers: Sequence[ImageLayers]) -> tuple[np.ndarray, np.ndarray]:
    """Depth in centimetres and semantics at the stride of labels."""
    half = LABEL_STRIDE // 2
    centimetres = [np.clip(np.round(each.depth * 100), 0, 65535).astype(np.uint16) for each in layers]
    depth = np.stack([c[half::LABEL_STRIDE, half::LABEL_STRIDE] for c in centimetres])
    return depth, np.stack([each.semantic[half::LABEL_STRIDE, half::LABEL_STRIDE] for each in layers])


def _to_sample(rig: Rig, frame: LabelledFrame) -> TrainingSample:
    assert frame.occupancy is not None
    assert frame.observed is not None
    layers = [frame.layers[name] for name in rig.names]
    depth, semantic = _labels(layers)
    base_from_odom = invert_transform(frame.odom_from_base)
    velocity = np.array([o["velocity"][:2] for o in frame.objects], np.float32).reshape(-1, 2)
    rotation = base_from_odom[:2, :2].astype(np.float32)
    return TrainingSample(
        images=np.stack([each.rgb for each in layers]),
        cameras=tuple(rig.cameras.values()),
        depth=depth,
        semantic=semantic,
        occupancy=frame.occupancy,
        observed=frame.observed,
        boxes=transform_boxes(base_from_odom, frame.boxes).astype(np.float32),
        box_class=np.array([OBJECT_CLASSES.index(o["class"]) for o in frame.objects], np.uint8),
        box_visibility=frame.best_visibility.astype(np.float32),
        box_velocity=velocity @ rotation.T,
        box_kind=np.array([o["subtype"] for o in frame.objects], np.str_),
    )
