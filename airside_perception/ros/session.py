"""Everything that exists between configure and cleanup: inputs, synchroniser, worker, pipeline, outputs."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig
from airside_perception.records import RigFrame, SceneEstimate
from airside_perception.ros.calibration import camera_from_message, same_calibration
from airside_perception.ros.health import NodeHealth
from airside_perception.ros.inputs import InputHandlers, Inputs
from airside_perception.ros.live_image import LiveImage
from airside_perception.ros.messages import stamp_from_message
from airside_perception.ros.outputs import Outputs
from airside_perception.ros.transforms import transform_from_parts
from airside_perception.ros.worker import LatestOnlyWorker
from airside_perception.sync import SyncedSet, Synchronizer, assemble_frame

_SILENCE_S = 0.5
"""After so long without any message the synchroniser gives out what it still holds."""

# launch sends SIGTERM 5 s after SIGINT: the frame in work has to end before.
_STOP_TIMEOUT_S = 4.0


class PipelineLike(Protocol):
    """What the node needs of `airside_perception.pipeline.Pipeline`."""

    prior: Any

    @property
    def counts(self) -> Mapping[str, int]: ...

    def step(self, frame: RigFrame) -> SceneEstimate: ...

    def reset(self) -> None: ...

    def reconfigure(self, config: Config) -> None: ...

    def device_report(self) -> Mapping[str, str]: ...


BuildPipeline = Callable[[Config, Rig], PipelineLike]


@dataclass(frozen=True)
class _Job:
    """A set to work on, with the calibration and options that were valid when it was made."""

    synced: SyncedSet
    rig: Rig
    config: Config
    frame_id: str


class TrackingSession:
    """One configured life of the node.

    Args:
        node: owns publishers, subscriptions and parameters.
        config: checked options.
        rig: calibration to begin with; camera_info may replace intrinsics later.
        build_pipeline: (config, rig) -> pipeline.

    Raises:
        AirsideError: the pipeline cannot be built (weights missing, rig and config disagree).
    """

    def __init__(self, node: LifecycleNode, config: Config, rig: Rig, build_pipeline: BuildPipeline):
        if config.sync.policy != "anchor":
            raise AirsideError(
                f"sync.policy: {config.sync.policy!r} is not supported by the live node; set it to 'anchor'"
            )
        self.config = config
        self.rig = rig
        self.health = NodeHealth(rig.names, config.ros.stream_timeout_s)
        self._node = node
        self._pipeline = build_pipeline(config, rig)
        self._pipeline_config = config
        self._outputs = Outputs(node, config, rig, self._pipeline.prior)
        self._inputs = Inputs(
            node, rig, config.ros, InputHandlers(self._on_image, self._on_camera_info, self._on_odometry)
        )
        self._frame_id = config.ros.odom_frame
        self._worker: LatestOnlyWorker[_Job] | None = None
        self._silence_timer: Any = None
        self.health.device = {key: str(value) for key, value in self._pipeline.device_report().items()}

    def start(self) -> None:
        """Subscribe and work. The publishers must be active."""
        sync = self.config.sync
        self._synchronizer = Synchronizer(self.rig.names, sync.anchor or None, sync.max_dt_s, sync.max_wait_s)
        self._epoch = 0
        self._newest = (0, 0.0)
        self._pipeline.reset()
        self._worker = LatestOnlyWorker(self._process, self._failed, name="pipeline")
        self._inputs.start()
        self._silence_timer = self._node.create_timer(
            _SILENCE_S / 2, self._on_silence_timer, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def stop(self) -> None:
        """Unsubscribe, let the frame in work end, take the markers down; may be called again."""
        if self._worker is None:
            return
        self._inputs.stop()
        self._node.destroy_timer(self._silence_timer)
        if not self._worker.stop(_STOP_TIMEOUT_S):
            self._node.get_logger().error(f"the frame in work did not end within {_STOP_TIMEOUT_S:.0f} s")
        self._worker = None
        self._outputs.clear(self._newest[0])

    def close(self) -> None:
        """Destroy the publishers and let go of the models."""
        self.stop()
        self._outputs.close()
        del self._pipeline

    def reconfigure(self, config: Config) -> None:
        """Take over changed options; the pipeline follows with the next frame."""
        self.config = config
        self._outputs.config = config

    def observe(self) -> None:
        """Copy the synchroniser's totals into the health record; call on the receiving thread."""
        if self._worker is None:
            return
        statistics = self._synchronizer.statistics
        counters = {
            "sync_sets": statistics.sets,
            "sync_partial_sets": statistics.partial_sets,
            "sync_without_odometry": statistics.without_odometry,
            "sync_resets": statistics.resets,
        }
        self.health.observe_synchronizer(counters, statistics.dropped)

    # Callbacks of the receiving thread.

    def _on_image(self, camera: str, message: Image | CompressedImage) -> None:
        self.health.image_arrived(camera, time.monotonic())
        stamp_ns = self._stamp_of(message)
        live = LiveImage(camera, stamp_ns, message, self.rig.cameras[camera], self.health)
        self._offer(self._synchronizer.add_image(camera, stamp_ns, live))

    def _on_odometry(self, message: Odometry) -> None:
        now_s = time.monotonic()
        pose, twist = message.pose.pose, message.twist.twist
        velocity = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
        try:
            odom_from_base = transform_from_parts(pose.position, pose.orientation)
            if not np.isfinite([*velocity, twist.angular.z]).all():
                raise AirsideError(f"expected a finite twist, got linear {velocity.tolist()}")
        except AirsideError as error:
            self.health.odometry_arrived(now_s, str(error))
            return
        self.health.odometry_arrived(now_s)
        self._frame_id = message.header.frame_id or self._frame_id
        stamp_ns = self._stamp_of(message)
        self._offer(self._synchronizer.add_odometry(stamp_ns, odom_from_base, velocity, twist.angular.z))

    def _on_camera_info(self, camera: str, message: CameraInfo) -> None:
        known = self.rig.cameras[camera]
        try:
            told = camera_from_message(camera, message, known.base_from_camera)
        except AirsideError as error:
            self._node.get_logger().warning(f"camera_info ignored: {error}", throttle_duration_sec=10.0)
            self.health.count("camera_info_ignored")
            return
        if not same_calibration(known, told):
            self._node.get_logger().info(f"camera {camera}: new calibration from camera_info")
            self.health.count("calibration_changes")
            self.rig = Rig({**self.rig.cameras, camera: told}, self.rig.name, self.rig.topics)

    def _on_silence_timer(self) -> None:
        """Nothing comes any more (end of a bag): the last frames must not wait for it."""
        stamp_ns, arrival_s = self._newest
        silence_s = time.monotonic() - arrival_s
        if stamp_ns and silence_s > _SILENCE_S:
            self._offer(self._synchronizer.advance(stamp_ns + int(silence_s * 1e9)))

    def _stamp_of(self, message: Any) -> int:
        """Header stamp; the time of arrival where the driver left it at 0."""
        stamp_ns = stamp_from_message(message.header.stamp) or self._node.get_clock().now().nanoseconds
        self._newest = (stamp_ns, time.monotonic())
        return stamp_ns

    def _offer(self, ready: list[SyncedSet]) -> None:
        """Hand the newest set to the worker; the ones that it overtakes are counted."""
        for synced in ready:
            self.health.frame_ready(synced.stamp_ns)
            displaced = self._worker.offer(_Job(synced, self.rig, self.config, self._frame_id)) if self._worker else 1
            if displaced:
                self.health.count("frames_dropped")

    # The worker's thread.

    def _process(self, job: _Job) -> None:
        begin = time.perf_counter()
        self._follow(job)
        frame = assemble_frame(job.synced, job.rig, job.frame_id)
        if not frame.images:
            self.health.count("frames_without_images")
            return
        decoded = time.perf_counter()
        scene = self._pipeline.step(frame)
        stepped = time.perf_counter()
        self._outputs.publish(scene)
        end = time.perf_counter()
        own = {"decode": decoded - begin, "publish": end - stepped, "total": end - begin}
        self.health.observe_pipeline(self._pipeline.counts)
        self.health.frame_done({**scene.timing_ms, **{stage: 1e3 * seconds for stage, seconds in own.items()}})

    def _follow(self, job: _Job) -> None:
        """Let the pipeline know of new options and of jumps in time; calibration comes with each frame."""
        if job.config is not self._pipeline_config:
            self._pipeline_config = job.config
            self._pipeline.reconfigure(job.config)
        if job.synced.epoch != self._epoch:
            self._epoch = job.synced.epoch
            self._pipeline.reset()
            self._outputs.clear(job.synced.stamp_ns)
            self.health.count("time_jumps")

    def _failed(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        self.health.frame_failed(reason)
        details = "".join(traceback.format_exception(error))
        self._node.get_logger().error(f"frame failed: {reason}\n{details}", throttle_duration_sec=5.0)
