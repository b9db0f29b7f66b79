"""Tracks as RViz markers, with ids that stay and deletions when a track dies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from airside_perception.classes import CLASS_COLORS
from airside_perception.records import SceneEstimate, Track
from airside_perception.ros.messages import box_pose, header, point, vector, yaw_quaternion

if TYPE_CHECKING:
    from airside_perception.prior import ObjectPrior, TexturedMesh

SLOWEST_ARROW_MPS = 0.2
"""Below this speed the direction of travel is noise and no arrow is drawn."""

_TRAIL_POINTS = 30

# Corners of the unit box in Gray-code order of (x, y), lower face first; edges index into them.
_CORNERS = np.array([[x, y, z] for z in (-0.5, 0.5) for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))])
_EDGES = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)]
# A cross on the front face tells the box's heading apart from its tail.
_FRONT = [(1, 6), (2, 5)]
_OUTLINE = [index for edge in [*_EDGES, *_FRONT] for index in edge]


class TrackMarkers:
    """Turns scenes into marker arrays; remembers what is on display so that it can be taken down.

    Args:
        lifetime_s: RViz drops a marker that was not renewed for this long; 0: never.
        prior: decodes meshes; None: boxes only.
        mesh_level: how fine, see `ObjectPrior.decode`; every triangle costs three Python points.
    """

    def __init__(self, lifetime_s: float = 0.0, prior: ObjectPrior | None = None, mesh_level: str | int = "far"):
        self._lifetime = Duration(sec=int(lifetime_s), nanosec=int(lifetime_s % 1.0 * 1e9))
        self._prior = prior
        self._mesh_level = mesh_level
        self._ids: dict[str, int] = {}
        # What is on display. A Marker is a dozen Python objects, so it is filled again, not made again.
        self._displayed: dict[tuple[str, int], Marker] = {}
        self._meshes: dict[str, _MarkerMesh] = {}

    def build(self, scene: SceneEstimate, with_meshes: bool = False, with_tentative: bool = False) -> MarkerArray:
        """Markers of all tracks, and a DELETE for each marker shown before and gone now.

        Namespaces are box, outline, label, velocity, trail, mesh; the id of a track is the same in all
        of them and never used again for another track. Tentative tracks are faint outlines in a namespace
        of their own. The markers are valid until the next call.
        """
        head = header(scene.stamp_ns, scene.frame.frame_id)
        markers = [marker for track in scene.tracks for marker in self._track_markers(track, head, with_meshes)]
        if with_tentative:
            markers += [self._outline("tentative", track, head, 0.35) for track in scene.tentative]
        now = {(marker.ns, marker.id): marker for marker in markers}
        gone = [
            Marker(header=head, ns=namespace, id=number, action=Marker.DELETE)
            for namespace, number in sorted(self._displayed.keys() - now.keys())
        ]
        self._displayed = now
        for track_id in self._meshes.keys() - {track.track_id for track in scene.tracks}:
            del self._meshes[track_id]
        return MarkerArray(markers=gone + markers)

    def clear(self, stamp_ns: int, frame_id: str) -> MarkerArray:
        """One DELETEALL; for deactivation and resets."""
        self._displayed.clear()
        self._meshes.clear()
        return MarkerArray(markers=[Marker(header=header(stamp_ns, frame_id), action=Marker.DELETEALL)])

    def _marker(self, namespace: str, track: Track, head: Header, kind: int, alpha: float) -> Marker:
        """The marker on display, or a new one, with header and colour of this frame."""
        # Ids of dead tracks stay reserved: 64 bytes per track of a whole shift is nothing.
        number = self._ids.setdefault(track.track_id, len(self._ids))
        marker = self._displayed.get((namespace, number))
        if marker is None:
            marker = Marker(ns=namespace, id=number, type=kind, action=Marker.ADD, lifetime=self._lifetime)
            marker.pose.orientation = yaw_quaternion(0.0)
        marker.header = head
        # Coasting tracks are shown pale: nothing measured them in this frame.
        marker.color = _color(CLASS_COLORS[track.class_name], alpha * 0.4 if track.state == "coasting" else alpha)
        return marker

    def _track_markers(self, track: Track, head: Header, with_meshes: bool) -> Iterator[Marker]:
        mesh = self._mesh_marker(track, head) if with_meshes else None
        box = self._marker("box", track, head, Marker.CUBE, 0.12 if mesh else 0.35)
        box.pose, box.scale = box_pose(track.box), vector(track.box[3:6])
        yield box
        yield self._outline("outline", track, head, 1.0)
        yield self._label(track, head)
        if np.hypot(*track.velocity) >= SLOWEST_ARROW_MPS:
            yield self._arrow(track, head)
        if len(track.trail) > 0:
            trail = self._marker("trail", track, head, Marker.LINE_STRIP, 0.8)
            trail.scale.x = 0.1
            past = track.trail[:: -(-len(track.trail) // _TRAIL_POINTS)]
            trail.points = _points(np.vstack([past, track.box[None, :3]]))
            yield trail
        if mesh:
            yield mesh

    def _outline(self, namespace: str, track: Track, head: Header, alpha: float) -> Marker:
        outline = self._marker(namespace, track, head, Marker.LINE_LIST, alpha)
        outline.pose, outline.scale.x = box_pose(track.box), 0.06
        corners = _points(_CORNERS * track.box[3:6])
        outline.points = [corners[index] for index in _OUTLINE]
        return outline

    def _label(self, track: Track, head: Header) -> Marker:
        label = self._marker("label", track, head, Marker.TEXT_VIEW_FACING, 1.0)
        label.pose.position = point(track.box[:3] + np.array([0.0, 0.0, track.box[5] / 2 + 0.6]))
        label.scale.z = 0.8
        label.color = _color((255, 255, 255), 1.0)
        motion = "parked" if track.parked > 0.5 else f"{np.hypot(*track.velocity):.1f} m/s"
        label.text = f"{track.class_name} {track.track_id} {track.score:.2f}\n{motion}"
        if track.state != "confirmed":
            label.text += f" {track.state}"
        return label

    def _arrow(self, track: Track, head: Header) -> Marker:
        """From the box's centre to where the object will be in one second."""
        arrow = self._marker("velocity", track, head, Marker.ARROW, 1.0)
        arrow.points = _points(track.box[:3] + np.array([[0.0, 0.0, 0.0], [*track.velocity, 0.0]]))
        arrow.scale = vector((0.15, 0.35, 0.4))
        return arrow

    def _mesh_marker(self, track: Track, head: Header) -> Marker | None:
        """The recovered shape; its points are in box units, so pose and scale alone follow the track."""
        if self._prior is None or track.shape_code is None or track.texture_code is None:
            return None
        codes = np.concatenate([track.shape_code, track.texture_code])
        cached = self._meshes.get(track.track_id)
        if cached is None or not cached.fits(codes):
            mesh = self._prior.decode(track.class_name, track.shape_code, track.texture_code, self._mesh_level)
            cached = self._meshes[track.track_id] = _MarkerMesh(mesh, codes)
        marker = self._marker("mesh", track, head, Marker.TRIANGLE_LIST, 0.95)
        marker.pose, marker.scale = box_pose(track.box), vector(track.box[3:6])
        marker.points, marker.colors = cached.points, cached.colors
        return marker


class _MarkerMesh:
    """Marker points and colours of one pair of codes, in box units."""

    def __init__(self, mesh: TexturedMesh, codes: np.ndarray):
        self._codes = codes
        corners = mesh.faces.cpu().numpy().ravel()
        self.points = _points(mesh.vertices.cpu().numpy()[corners])
        self.colors = [_color(rgb, 0.95) for rgb in (mesh.colors.cpu().numpy()[corners] * 255.0).tolist()]

    def fits(self, codes: np.ndarray) -> bool:
        """True for codes that look the same in a viewer."""
        return codes.shape == self._codes.shape and bool(np.max(np.abs(codes - self._codes)) < 0.05)


def _points(xyz: np.ndarray) -> list[Point]:
    """(N, 3) metres as points."""
    return [Point(x=x, y=y, z=z) for x, y, z in xyz.astype(np.float64).tolist()]


def _color(rgb: Iterable[float], alpha: float) -> ColorRGBA:
    red, green, blue = (float(channel) / 255.0 for channel in rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=float(alpha))
