"""Messages of the live node turned back into scenes: nothing that they carry may be lost."""

import json

import numpy as np
import pytest
from replay_scenes import FRAMES, GRID, plain_config, stamps, write_detections, write_sequence

from airside_perception.evaluation.live_scenes import grid_from_points, live_scenes
from airside_perception.evaluation.replay import run_evaluation
from airside_perception.explain import explanations_json
from airside_perception.records import NEVER_SEEN

VOXEL = np.dtype(
    [("x", "f4"), ("y", "f4"), ("z", "f4"), ("class_id", "u1"), ("probability", "f4"), ("visibility", "u1")]
)


def points(mask: np.ndarray, **fields: np.ndarray) -> np.ndarray:
    """Voxel centres of a mask as a structured array."""
    cloud = np.zeros(int(mask.sum()), VOXEL)
    for axis, name in enumerate("xyz"):
        cloud[name] = GRID.centers()[mask][:, axis]
    for name, values in fields.items():
        cloud[name] = values[mask]
    return cloud


def test_a_grid_survives_its_clouds():
    rng = np.random.default_rng(5)
    class_id = rng.integers(0, 7, GRID.shape).astype(np.uint8)
    probability = rng.random(GRID.shape).astype(np.float32)
    visibility = rng.choice([0, 2], GRID.shape).astype(np.uint8)
    occupied = points(class_id > 0, class_id=class_id, probability=probability, visibility=visibility)
    grid = grid_from_points(GRID, occupied, points(visibility == NEVER_SEEN))
    assert (grid.class_id == class_id).all()
    assert (grid.visibility == visibility).all()
    np.testing.assert_array_equal(grid.probability, np.where(class_id > 0, probability, 0))


def test_tracks_survive_their_json(tmp_path):
    sequence = write_sequence(tmp_path / "apron")
    seen = []
    run_evaluation(
        [sequence],
        tmp_path / "out",
        plain_config(),
        detections=write_detections(tmp_path / "detections.json"),
        progress=False,
        overlays=0,
        observer=lambda scene, truth, prior: seen.append(scene),
    )
    # The node drops frames when it is late: the fourth never came.
    said = {s.stamp_ns: json.loads(explanations_json(s))["tracks"] for k, s in enumerate(seen) if k != 3}
    heard = list(live_scenes(sequence, plain_config(), said, {}, {}))
    assert [scene.stamp_ns for scene in heard] == [stamp for k, stamp in enumerate(stamps()) if k != 3]
    ours, theirs = seen[FRAMES - 1].tracks[0], heard[-1].tracks[0]
    np.testing.assert_allclose(theirs.box, ours.box, atol=1e-5)
    assert (theirs.track_id, theirs.class_name, theirs.state) == (ours.track_id, ours.class_name, ours.state)
    assert theirs.score == pytest.approx(ours.score, abs=1e-6)
    assert heard[-1].explanations[0].reasons == seen[-1].explanations[0].reasons
    np.testing.assert_allclose(theirs.trail[-1], ours.box[:3], atol=1e-4)
    assert set(heard[-1].frame.images) == {"front", "rear"}
