"""Track markers: stable identities, deletions, geometry, meshes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from ros_scenes import STAMP_NS, make_scene, make_track
from visualization_msgs.msg import Marker

from airside_perception.prior import TexturedMesh
from airside_perception.ros.markers import TrackMarkers

pytestmark = pytest.mark.ros


def by_namespace(array) -> dict[str, Marker]:
    return {marker.ns: marker for marker in array.markers if marker.action == Marker.ADD}


def test_one_track_becomes_box_outline_label_arrow_and_trail():
    markers = by_namespace(TrackMarkers(lifetime_s=1.5).build(make_scene((make_track(),))))
    assert set(markers) == {"box", "outline", "label", "velocity", "trail"}
    box = markers["box"]
    assert box.type == Marker.CUBE
    assert box.header.frame_id == "odom"
    assert (box.header.stamp.sec, box.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert (box.pose.position.x, box.pose.position.y, box.pose.position.z) == (10.0, -2.0, 0.9)
    assert (box.scale.x, box.scale.y, box.scale.z) == (4.0, 2.0, 1.8)
    assert box.pose.orientation.z == pytest.approx(np.sin(0.25))
    assert (box.lifetime.sec, box.lifetime.nanosec) == (1, 500_000_000)
    assert "gse gse-1 0.75" in markers["label"].text
    assert "2.5 m/s" in markers["label"].text


def test_arrow_ends_where_the_object_will_be_in_one_second():
    arrow = by_namespace(TrackMarkers().build(make_scene((make_track(),))))["velocity"]
    start, end = arrow.points
    assert (end.x - start.x, end.y - start.y, end.z - start.z) == pytest.approx((1.5, 2.0, 0.0))


def test_trail_ends_at_the_box():
    trail = by_namespace(TrackMarkers().build(make_scene((make_track(),))))["trail"]
    assert [(p.x, p.y) for p in trail.points] == [(8.0, -4.0), (9.0, -3.0), (10.0, -2.0)]


def test_ids_stay_while_tracks_come_and_go():
    markers = TrackMarkers()
    first = markers.build(make_scene((make_track("a"), make_track("b"))))
    number = {marker.text.split()[1]: marker.id for marker in first.markers if marker.ns == "label"}
    second = markers.build(make_scene((make_track("c"), make_track("b"))))
    labels = {marker.text.split()[1]: marker.id for marker in second.markers if marker.ns == "label" and marker.text}
    assert labels["b"] == number["b"]
    assert labels["c"] not in number.values()
    deleted = {(marker.ns, marker.id) for marker in second.markers if marker.action == Marker.DELETE}
    assert deleted == {(name, number["a"]) for name in ("box", "outline", "label", "velocity", "trail")}
    assert not any(
        m.action == Marker.DELETE for m in markers.build(make_scene((make_track("c"), make_track("b")))).markers
    )


def test_the_arrow_goes_when_the_object_stops():
    markers = TrackMarkers()
    markers.build(make_scene((make_track(),)))
    array = markers.build(make_scene((make_track(velocity=np.zeros(2)),)))
    assert [(m.ns, m.action) for m in array.markers if m.action == Marker.DELETE] == [("velocity", Marker.DELETE)]


def test_coasting_tracks_are_pale_and_say_so():
    bright = by_namespace(TrackMarkers().build(make_scene((make_track(),))))
    pale = by_namespace(TrackMarkers().build(make_scene((make_track(state="coasting"),))))
    assert pale["box"].color.a == pytest.approx(0.4 * bright["box"].color.a)
    assert pale["label"].text.endswith("coasting")


def test_tentative_tracks_are_faint_outlines_and_only_on_demand():
    scene = replace(make_scene((make_track("a"),)), tentative=(make_track("b", state="tentative"),))
    markers = TrackMarkers()
    assert not any(m.ns == "tentative" for m in markers.build(scene).markers)
    shown = markers.build(scene, with_tentative=True).markers
    (faint,) = [m for m in shown if m.ns == "tentative"]
    (sure,) = [m for m in shown if m.ns == "outline"]
    assert faint.type == Marker.LINE_LIST
    assert faint.color.a < 0.5 * sure.color.a
    assert faint.id != sure.id
    confirmed = markers.build(
        replace(scene, tracks=(*scene.tracks, make_track("b")), tentative=()), False, True
    ).markers
    assert [(m.ns, m.id) for m in confirmed if m.action == Marker.DELETE] == [("tentative", faint.id)]
    assert any(m.ns == "box" and m.id == faint.id for m in confirmed)


def test_clear_removes_everything():
    markers = TrackMarkers()
    markers.build(make_scene((make_track(),)))
    assert [m.action for m in markers.clear(STAMP_NS, "odom").markers] == [Marker.DELETEALL]
    assert all(m.action == Marker.ADD for m in markers.build(make_scene((make_track("z"),))).markers)


class TrianglePrior:
    """Decodes every code to one red triangle, and counts how often it had to."""

    decoded = 0

    def decode(self, class_name, shape, texture, level):
        self.decoded += 1
        vertices = torch.tensor([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
        normals = torch.tensor([[0.0, 0.0, 1.0]]).repeat(3, 1)
        colors = torch.tensor([[1.0, 0.0, 0.0]]).repeat(3, 1)
        return TexturedMesh(vertices, torch.tensor([[0, 1, 2]], dtype=torch.int32), normals, colors)


def test_mesh_follows_the_box_and_is_decoded_once_per_shape():
    prior = TrianglePrior()
    markers = TrackMarkers(prior=prior)
    coded = {"shape_code": np.zeros(4, np.float32), "texture_code": np.zeros(2, np.float32)}
    mesh = by_namespace(markers.build(make_scene((make_track(**coded),)), with_meshes=True))["mesh"]
    assert mesh.type == Marker.TRIANGLE_LIST
    assert [(p.x, p.y) for p in mesh.points] == [(-0.5, 0.0), (0.5, 0.0), (0.0, 0.5)]
    assert (mesh.scale.x, mesh.scale.y, mesh.scale.z) == (4.0, 2.0, 1.8)
    assert len(mesh.colors) == 3
    assert mesh.colors[0].r == 1.0
    markers.build(make_scene((make_track(**coded),)), with_meshes=True)
    assert prior.decoded == 1
    moved = coded | {"shape_code": np.full(4, 0.5, np.float32)}
    markers.build(make_scene((make_track(**moved),)), with_meshes=True)
    assert prior.decoded == 2


def test_box_only_tracks_have_no_mesh():
    array = TrackMarkers(prior=TrianglePrior()).build(make_scene((make_track(),)), with_meshes=True)
    assert "mesh" not in by_namespace(array)
