"""The node's publishers: one scene in, all topics out, and nothing computed that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nav_msgs.msg import OccupancyGrid
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from airside_perception import explain
from airside_perception.config import Config
from airside_perception.geometry import Rig
from airside_perception.records import OccupancyGrid as OccupancyRecord
from airside_perception.records import SceneEstimate
from airside_perception.ros import messages
from airside_perception.ros.latency_topics import LatencyTopics
from airside_perception.ros.markers import TrackMarkers

if TYPE_CHECKING:
    from airside_perception.prior import ObjectPrior


class Outputs:
    """All publishers of the node.

    Late subscribers get the latest 2D grid and explanations at once (transient local); the rest
    is renewed with every frame.

    Args:
        node: publishes; its lifecycle switches the publishers on and off.
        config: bands, lifetimes, frames.
        rig: overlays exist for each of its cameras.
        prior: decodes meshes for markers and overlays, or None.
    """

    def __init__(self, node: LifecycleNode, config: Config, rig: Rig, prior: ObjectPrior | None = None):
        self._node = node
        self.config = config
        self._prior = prior
        self._track_markers = TrackMarkers(config.ros.marker_lifetime_s, prior)
        self._publishers: list[LifecyclePublisher[Any]] = []
        self._markers = self._create(MarkerArray, "~/tracks/markers", depth=10)
        self._voxels = self._create(PointCloud2, "~/occupancy/voxels")
        self._unobserved = self._create(PointCloud2, "~/occupancy/unobserved")
        self._grid = self._create(OccupancyGrid, "~/occupancy/grid", latched=True)
        self._reasons = self._create(String, "~/explanations/tracks", latched=True)
        self._overlays = {
            name: self._create(CompressedImage, f"~/explanations/{name}/compressed") for name in rig.names
        }
        self._detections = self._create_detections()
        self._latencies = LatencyTopics(self._create)

    def publish(self, scene: SceneEstimate) -> None:
        """Send everything that follows from one scene; each message carries the scene's stamp."""
        stamp, frame_id = scene.stamp_ns, scene.frame.frame_id
        if self._markers.get_subscription_count():
            options = self.config.ros
            markers = self._track_markers.build(scene, options.publish_meshes, options.publish_rejected)
            self._markers.publish(markers)
        if self._detections is not None:
            self._detections.publish(messages.detection_array(scene.tracks, stamp, frame_id))
        if scene.occupancy is not None:
            self._publish_occupancy(scene.occupancy, stamp)
        self._reasons.publish(String(data=explain.explanations_json(scene)))
        self._publish_overlays(scene)

    def publish_latencies(self, timing_ms: Mapping[str, float]) -> None:
        """Send how long each stage of a frame took."""
        self._latencies.publish(timing_ms)

    def clear(self, stamp_ns: int) -> None:
        """Take all markers off the displays."""
        self._markers.publish(self._track_markers.clear(stamp_ns, self.config.ros.odom_frame))

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _publish_occupancy(self, grid: OccupancyRecord, stamp: int) -> None:
        low, high = self.config.ros.planner_band
        self._grid.publish(messages.planner_grid(grid, stamp, low, high))
        if self._voxels.get_subscription_count():
            self._voxels.publish(messages.voxel_cloud(grid, stamp))
        if self._unobserved.get_subscription_count():
            self._unobserved.publish(messages.unobserved_cloud(grid, stamp))

    def _publish_overlays(self, scene: SceneEstimate) -> None:
        """Rendering is the dear part: only for cameras that somebody watches and that delivered an image."""
        for name, publisher in self._overlays.items():
            if name in scene.frame.images and publisher.get_subscription_count():
                frame_id = self.config.ros.optical_frame.replace("{camera}", name)
                overlay = explain.draw_overlay(scene, name, self._prior, self.config.explain)
                publisher.publish(messages.jpeg_message(overlay, scene.stamp_ns, frame_id))

    def _create(self, kind: type, topic: str, depth: int = 1, latched: bool = False) -> Any:
        durability = QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE
        qos = QoSProfile(
            history=QoSHistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=QoSReliabilityPolicy.RELIABLE,
            durability=durability,
        )
        publisher: LifecyclePublisher[Any] = self._node.create_lifecycle_publisher(
            kind, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        self._publishers.append(publisher)
        return publisher

    def _create_detections(self) -> Any:
        """The machine interface, where its message package is installed."""
        if not messages.has_vision_messages():
            self._node.get_logger().info("vision_msgs is not installed: ~/tracks/detections is not published")
            return None
        from vision_msgs.msg import Detection3DArray

        return self._create(Detection3DArray, "~/tracks/detections", depth=10)
