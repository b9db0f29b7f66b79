"""How much of each track the cameras should see now, from a coarse render of all tracks together.

What stands in front of them need not be a track, nor a track be as large as what stands there: image cells that tell
of something surely nearer hide what lies behind them, too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from airside_perception.geometry.se3 import invert_transform
from airside_perception.records import RigFrame, Track
from airside_perception.refine.cell_votes import CameraVotes, CellVotes
from airside_perception.refine.shape_library import ShapeLibrary
from airside_perception.rendering import rasterize

OCCLUDED_BELOW = 0.5
"""Visible part below which it is worth saying who hides an object."""

_COARSENESS = 6
"""Image pixels per rendered pixel: visibility needs areas, not edges."""


_SURE_SIGMAS = 2.0
"""What image cells tell of is nearer than a track if so many standard deviations of its range lie between them."""

_UNTOLD_RANGE_ERROR = 0.15
"""Relative standard deviation of a cell's range, where the network doesn't say."""


def track_vertices(library: ShapeLibrary, track: Track) -> tuple[np.ndarray, np.ndarray]:
    """A track's mesh in odom: vertices (V, 3) and faces (F, 3), from the typical shape nearest to its code.

    The shape code's offset moves the vertices as in refinement.
    """
    if track.shape_code is not None:
        index = library.nearest(track.class_name, track.shape_code)
        shape = library.shape(track.class_name, index)
        offset = shape.offset_of(track.shape_code, 2.5)
        vertices = shape.vertices + shape.shape_columns @ offset
    else:
        shape = library.shape(track.class_name, library.by_size(track.class_name, track.box[3:6], 1)[0])
        vertices = shape.vertices
    metric = vertices * track.box[3:6]
    cosine, sine = np.cos(track.box[6]), np.sin(track.box[6])
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]])
    return metric @ rotation.T + track.box[:3], shape.faces


@dataclass(frozen=True)
class SceneVisibility:
    """What the cameras should see of all tracks.

    Attributes:
        part: track id -> visible part 0..1 in the best camera; 0 where no camera's image holds the track.
        hidden_by: id of a track of which less than `OCCLUDED_BELOW` shows -> id of the one that hides most of it.
    """

    part: dict[str, float]
    hidden_by: dict[str, str]


def expected_visibility(
    frame: RigFrame,
    tracks: Sequence[Track],
    library: ShapeLibrary,
    votes: CameraVotes | None = None,
) -> SceneVisibility:
    """Visible part of every track, with all tracks, and all that the images show, as possible occluders.

    Args:
        frame: cameras that took an image, and the vehicle pose.
        tracks: predicted to the frame's stamp.
        library: shapes to render; tracks of classes it doesn't know are left out.
        votes: what the images' cells tell, by camera and class, of cell_votes.votes_of_frame; None: nothing.
    """
    known = [t for t in tracks if t.class_name in library.class_names and np.isfinite(t.box).all()]
    seen = SceneVisibility(dict.fromkeys((t.track_id for t in known), 0.0), {})
    if not known or not frame.images:
        return seen
    meshes = [track_vertices(library, t) for t in known]
    starts = np.concatenate([[0], np.cumsum([len(v) for v, _ in meshes])])
    vertices = np.concatenate([v for v, _ in meshes])
    shifted = [f + s for (_, f), s in zip(meshes, starts[:-1], strict=True)]
    faces = torch.from_numpy(np.concatenate(shifted).astype(np.int32))
    counts = np.array([len(f) for _, f in meshes])
    ranges = np.stack([np.cumsum(counts) - counts, counts], axis=1).astype(np.int32)
    boxes = np.stack([t.box for t in known])
    for name, image in frame.images.items():
        camera = image.camera.resized(
            max(image.camera.width // _COARSENESS, 8), max(image.camera.height // _COARSENESS, 8)
        )
        odom_from_camera = frame.odom_from_base @ camera.base_from_camera
        camera_from_odom, camera_position = invert_transform(odom_from_camera), odom_from_camera[:3, 3]
        local = vertices @ camera_from_odom[:3, :3].T + camera_from_odom[:3, 3]
        ahead = np.array([local[a:b, 2].max() > 0.3 for a, b in zip(starts[:-1], starts[1:], strict=True)])
        candidates = np.flatnonzero(ahead)
        if not len(candidates):
            continue
        clip = torch.from_numpy(np.ascontiguousarray(camera.clip_positions(local), np.float32))
        raster = rasterize(clip, faces, (camera.height, camera.width), ranges=torch.from_numpy(ranges[candidates]))
        begins = np.linalg.norm(boxes[candidates, :2] - camera_position[:2], axis=1)
        begins -= 0.5 * np.hypot(boxes[candidates, 3], boxes[candidates, 4])
        in_front = None
        if votes and votes.get(name):
            ends = _resampled(surely_before(votes[name].values()), raster.shape[1:3])
            in_front = ends < torch.from_numpy(begins)[:, None, None]
        _look(raster, [known[index].track_id for index in candidates], seen, in_front)
    return seen


def surely_before(votes: Collection[CellVotes]) -> np.ndarray:
    """(h, w) metres from the camera before which the object that an image cell shows surely stands.

    Args:
        votes: of one camera, one or several classes.

    Returns:
        float64; infinite where a cell shows none.
    """
    ends = np.full(next(iter(votes)).shape, np.inf)
    for each in votes:
        error = np.where(np.isfinite(each.range_error), each.range_error, _UNTOLD_RANGE_ERROR)
        rows, columns = each.cells.T
        np.minimum.at(ends, (rows, columns), each.distance * (1.0 + _SURE_SIGMAS * error))
    return ends


def _resampled(values: np.ndarray, shape: Sequence[int]) -> torch.Tensor:
    """The nearest of `values` (h, w) for every pixel of an image of another size."""
    rows, columns = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(shape, values.shape, strict=True))
    return torch.from_numpy(values[rows[:, None], columns])


def _look(raster: torch.Tensor, names: Sequence[str], seen: SceneVisibility, in_front: torch.Tensor | None) -> None:
    """Take in one camera's raster (M, H, W, 4), one layer per track, and where something stands before it (M, H, W)."""
    covered = raster[..., 3] > 0
    depth, nearest = torch.where(covered, raster[..., 2], torch.full_like(raster[..., 2], 2.0)).min(dim=0)
    visible = covered & (raster[..., 2] <= depth)
    if in_front is not None:
        visible &= ~in_front
    area = covered.sum(dim=(1, 2)).numpy()
    share = visible.sum(dim=(1, 2)).numpy() / np.maximum(area, 1)
    better = (area > 0) & (share >= [seen.part[name] for name in names])
    for layer in np.flatnonzero(better).tolist():
        name = names[layer]
        seen.part[name] = float(share[layer])
        seen.hidden_by.pop(name, None)
        if share[layer] < OCCLUDED_BELOW:
            owners = nearest[covered[layer] & (raster[layer, ..., 2] > depth)].numpy()
            if len(owners):
                seen.hidden_by[name] = names[int(np.bincount(owners).argmax())]
