"""Small scenes in the formats of tracks.json and results.json, the same on every machine (random.Random)."""

import math
import random

FRAME_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


def quaternion(yaw):
    return [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]


def truth_object(identity, name, x, y, yaw=0.0, size=(4.0, 2.0, 2.0), visibility=1.0):
    return {
        "id": identity,
        "class": name,
        "subtype": "",
        "translation": [x, y, size[2] / 2],
        "size": list(size),
        "rotation": quaternion(yaw),
        "velocity": [0.0, 0.0, 0.0],
        "visibility": visibility,
        "num_pixels": 100,
        "distance": math.hypot(x, y),
    }


def result_entry(identity, name, x, y, yaw=0.0, size=(4.0, 2.0, 2.0), score=0.9):
    return {
        "translation": [x, y, size[2] / 2],
        "size": list(size),
        "rotation": quaternion(yaw),
        "velocity": [0.0, 0.0],
        "tracking_id": identity,
        "tracking_name": name,
        "tracking_score": score,
    }


def ground_truth(frames):
    """tracks.json from lists of objects, the vehicle standing at the origin."""
    pose = {"translation": [0.0, 0.0, 0.0], "rotation": [1.0, 0.0, 0.0, 0.0]}
    return {
        "frame_id": "odom",
        "rate_hz": 10,
        "frames": [
            {"stamp_ns": START_NS + k * FRAME_NS, "ego_pose": pose, "objects": objects}
            for k, objects in enumerate(frames)
        ],
    }


def results(frames):
    """results.json from lists of entries."""
    return {"meta": {}, "results": {str(START_NS + k * FRAME_NS): entries for k, entries in enumerate(frames)}}


def noisy_scene(seed, objects=9, frames=40):
    """A busy scene with gaps, misses, identity switches, clutter and doubtful scores on both sides."""
    rng = random.Random(seed)
    truth, predicted = [[] for _ in range(frames)], [[] for _ in range(frames)]
    for k in range(objects):
        name = ("gse", "person", "gse")[k % 3]
        x, y, heading = rng.uniform(-30, 30), rng.uniform(-30, 30), rng.uniform(-3, 3)
        speed, quality, identity = rng.uniform(0, 3), rng.uniform(0.3, 0.95), f"p{k}"
        for f in range(frames):
            at_x, at_y = x + 0.1 * f * speed * math.cos(heading), y + 0.1 * f * speed * math.sin(heading)
            if rng.random() > 0.1:
                truth[f].append(truth_object(f"t{k}", name, at_x, at_y, heading))
            if rng.random() < 0.04:
                identity = f"p{k}-{f}"
            if rng.random() < quality:
                spread = 0.9 if k % 2 else 0.4
                position = at_x + rng.gauss(0, spread), at_y + rng.gauss(0, spread)
                score = min(max(quality + rng.gauss(0, 0.2), 0.01), 0.99)
                predicted[f].append(result_entry(identity, name, *position, heading + rng.gauss(0, 0.1), score=score))
    for k in range(4):
        x, y = rng.uniform(-30, 30), rng.uniform(-30, 30)
        for f in range(rng.randrange(frames), frames):
            if rng.random() < 0.6:
                predicted[f].append(result_entry(f"c{k}", ("gse", "person")[k % 2], x, y, score=rng.uniform(0.1, 0.7)))
    return ground_truth(truth), results(predicted)
