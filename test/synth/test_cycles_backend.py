"""The path-traced backend: the same scene as the fast one shows, seen through the same cameras."""

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.errors import AirsideError
from airside_perception.synth import sequence_options
from airside_perception.synth.generate import SynthOptions, run_synth
from airside_perception.synth.lighting import random_lighting
from airside_perception.synth.rigs import pinhole
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import Pattern


@pytest.fixture(scope="module")
def traced(small_rig):
    pytest.importorskip("bpy", reason="Blender is not installed (extra cycles)")
    from airside_perception.synth.cycles_backend import CyclesBackend

    scene = build_scene(11, "train", small_rig, 2.0, layout="scatter", condition="clear")
    return scene, CyclesBackend(scene, samples=4)


@pytest.mark.cycles
def test_both_backends_agree_on_what_is_where(traced, small_rig):
    _, backend = traced
    off_axis = pinhole("odd", 120, 96, 1.4, (1.0, 0.3, 2.0), 0.7, 0.15, 0.05)
    off_axis.intrinsics[0, 2] += 9.0
    off_axis.intrinsics[1, 1] *= 1.2
    for camera in (*list(small_rig.cameras.values())[:2], off_axis):
        labels = backend.render(0.8, camera, np.random.default_rng(0))
        depth, item = backend.trace_labels(0.8, camera)
        same = item == labels.item
        assert same.mean() >= 0.98
        near = same & (labels.depth > 0)
        assert np.median(np.abs(depth - labels.depth)[near]) < 0.02


@pytest.mark.cycles
def test_traced_images_show_the_scene_in_its_light(traced, small_rig):
    scene, backend = traced
    camera = small_rig.cameras[small_rig.names[0]]
    clear = backend.render(0.8, camera, np.random.default_rng(0)).rgb
    assert clear.shape == (camera.height, camera.width, 3)
    assert 40 < clear.mean() < 220
    fast = backend._labels.render(0.8, camera, np.random.default_rng(0)).rgb
    correlation = np.corrcoef(clear.mean(axis=2).ravel(), fast.mean(axis=2).ravel())[0, 1]
    assert correlation > 0.8
    night, _ = random_lighting(np.random.default_rng(1), "night")
    backend.relight(night, scene.sensor)
    dark = backend.render(0.8, camera, np.random.default_rng(0)).rgb
    labels = backend.render(0.8, camera, np.random.default_rng(0))
    sky = labels.item == -2
    assert dark[sky].mean() < 0.75 * clear[sky].mean()


@pytest.mark.cycles
def test_relighting_leaves_nothing_behind(traced):
    import bpy

    scene, backend = traced
    counts = []
    for _ in range(3):
        backend.relight(scene.lighting, scene.sensor)
        counts.append([len(getattr(bpy.data, kind)) for kind in ("materials", "images", "worlds", "lights", "objects")])
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.cycles
def test_lamps_light_and_coats_color_both_backends_alike(small_rig):
    pytest.importorskip("bpy", reason="Blender is not installed (extra cycles)")
    from airside_perception.synth.cycles_backend import CyclesBackend

    camera = small_rig.cameras["front"]
    coat = Pattern("plain", np.array([[0.05, 0.05, 0.8]] * 2), 1.0, 0.9)
    scene = plain_scene([standing("box", (3.0, 3.0, 3.0), 10.0, 0.0)], small_rig)
    dark = {"sun_color": np.zeros(3), "ambient_color": np.full(3, 0.02), "sky_zenith": np.full(3, 0.01)}
    light = replace(
        scene.lighting, **dark, sky_horizon=np.full(3, 0.01), mast_color=np.full(3, 60.0),
        masts=np.array([[4.0, 2.0, 10.0]]), headlights=15.0,
    )  # fmt: skip
    backend = CyclesBackend(replace(scene, patterns=(coat,), lighting=light), samples=8)
    traced = backend.render(0.0, camera, np.random.default_rng(0))
    fast = backend._labels.render(0.0, camera, np.random.default_rng(0)).rgb.astype(float)
    box, ground = traced.item == 0, traced.item == -1
    for image in (traced.rgb.astype(float), fast):
        assert image[box][:, 2].mean() > 1.5 * image[box][:, 0].mean()
    assert traced.rgb[ground].mean() == pytest.approx(fast[ground].mean(), rel=0.25)


def test_without_blender_the_error_names_the_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "bpy", None)
    with pytest.raises(AirsideError, match=r"airside_perception\[cycles\]"):
        run_synth(SynthOptions(out=tmp_path / "sequence", backend="cycles", progress=False))
    assert not (tmp_path / "sequence").exists()


@pytest.mark.parametrize(("changes", "wrong"), [({"backend": "opengl"}, "--backend"), ({"samples": 0}, "--samples")])
def test_bad_options_are_refused(tmp_path, changes, wrong):
    with pytest.raises(AirsideError, match=wrong):
        run_synth(SynthOptions(out=tmp_path / "sequence", progress=False, **changes))


def test_the_fast_backend_is_the_default():
    assert SynthOptions.backend == "raster"
    assert sequence_options.BACKENDS == ("raster", "cycles")
