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
from airside_perception.ego_motion import EgoState
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig
from airside_perception.records import RigFrame, SceneEstimate
from airside_perception.ros.calibration import camera_from_message, same_calibration
from airside_perception.ros.filter_synchronizer import FilterSynchronizer
from airside_perception.ros.health import HealthRules, NodeHealth
from airside_perception.ros.inputs import InputHandlers, Inputs
from airside_perception.ros.live_image import LiveImage
from airside_perception.ros.memory import FreePages
from airside_perception.ros.messages import stamp_from_message
from airside_perception.ros.odometry import JumpDetector, ego_state
from airside_perception.ros.odometry_from_tf import TfOdometry
from airside_perception.ros.outputs import Outputs
from airside_perception.ros.transforms import TransformListener, has_tf
from airside_perception.ros.worker import LatestOnlyWorker
from airside_perception.sync import SyncedSet, Synchronizer, assemble_frame

_SILENCE_S = 0.5
"""After so long without any message the synchroniser gives out what it still holds."""

# launch sends SIGTERM 5 s after SIGINT: the frame in work has to end before.
_STOP_TIMEOUT_S = 4.0

# Stamps of another clock (a bag without simulated time) say nothing of the way through the node.
_LONGEST_LATENCY_S = 60.0


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


def _health_rules(config: Config, rig: Rig) -> HealthRules:
    """When diagnostics worry.

    Raises:
        AirsideError: a required camera is not in the rig.
    """
    ros = config.ros
    unknown = [name for name in ros.required_cameras if name not in rig.names]
    if unknown:
        known = ", ".join(rig.names)
        raise AirsideError(f"ros.required_cameras: expected cameras of the rig ({known}), got {unknown[0]!r}")
    return HealthRules(ros.stream_timeout_s, ros.required_cameras, ros.frame_timeout_s)


class TrackingSession:
    """One configured life of the node.

    Args:
        node: owns publishers, subscriptions and parameters.
        config: checked options.
        rig: calibration to begin with; camera_info may replace intrinsics later.
        build_pipeline: (config, rig) -> pipeline.

    Raises:
        AirsideError: the pipeline cannot be built (weights missing, rig and config disagree), or an
            option makes no sense with this rig (anchor camera, topic names).
    """

    def __init__(self, node: LifecycleNode, config: Config, rig: Rig, build_pipeline: BuildPipeline):
        self.config = config
        self.rig = rig
        self._node = node
        if config.ros.odometry_source == "tf" and not has_tf():
            raise AirsideError(
                "ros.odometry_source: 'tf' needs tf2_ros, which is not installed; set it to 'topic' and publish "
                f"nav_msgs/Odometry on {config.ros.odometry_topic}"
            )
        self._transforms: TransformListener | None = None
        self._tf_odometry: TfOdometry | None = None
        # What is quickly refused comes before the models, which take seconds to load.
        self._rules = _health_rules(config, rig)
        self._inputs = Inputs(
            node, rig, config.ros, InputHandlers(self._on_image, self._on_camera_info, self._on_odometry)
        )
        self._synchronizer = self._new_synchronizer()
        self._pipeline = build_pipeline(config, rig)
        self._pipeline_config = config
        self._outputs = Outputs(node, config, rig, self._pipeline.prior)
        self._frame_id = config.ros.odom_frame
        self._worker: LatestOnlyWorker[_Job] | None = None
        self._free_pages = FreePages()
        self._silence_timer: Any = None
        self.health = self._new_health()

    def start(self) -> None:
        """Subscribe and work. The publishers must be active."""
        self._synchronizer = self._new_synchronizer()
        self.health = self._new_health()
        self._jumps = JumpDetector(self.config.ros.odometry_jump_m)
        self._epoch = 0
        self._newest = (0, 0.0)
        self._pipeline.reset()
        self._worker = LatestOnlyWorker(self._process, self._failed, name="pipeline")
        self._inputs.start()
        if self.config.ros.odometry_source == "tf":
            self._transforms = TransformListener(self._node)
            self._tf_odometry = TfOdometry(self._node, self._look_up_pose, self._on_vehicle_state)
            self._tf_odometry.start()
        self._silence_timer = self._node.create_timer(
            _SILENCE_S / 2, self._on_silence_timer, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def stop(self) -> None:
        """Unsubscribe, let the frame in work end, forget what waits, take the markers down; may be called again.

        Raises:
            TimeoutError: the frame in work does not end; its thread is left to itself.
        """
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        self._inputs.stop()
        if self._tf_odometry is not None and self._transforms is not None:
            self._tf_odometry.stop()
            self._transforms.close()
            self._tf_odometry = self._transforms = None
        self._node.destroy_timer(self._silence_timer)
        self._synchronizer = self._new_synchronizer()
        ended = worker.stop(_STOP_TIMEOUT_S)
        self._outputs.clear(self._newest[0])
        if not ended:
            raise TimeoutError(f"the frame in work did not end within {_STOP_TIMEOUT_S:.0f} s")

    def close(self) -> None:
        """Destroy the publishers and let go of the models."""
        try:
            self.stop()
        except TimeoutError as error:
            self._node.get_logger().error(str(error))
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
        self.health.observe_synchronizer(counters, statistics.dropped, statistics.missing)
        self.health.observe_queue(self._worker.waiting)

    def _new_synchronizer(self) -> Synchronizer | FilterSynchronizer:
        sync = self.config.sync
        if sync.policy == "message_filters":
            return FilterSynchronizer(self.rig.names, sync.anchor, sync.max_dt_s, sync.max_wait_s)
        return Synchronizer(self.rig.names, sync.anchor or None, sync.max_dt_s, sync.max_wait_s)

    def _look_up_pose(self) -> tuple[int, np.ndarray] | None:
        """The latest pose of the vehicle; one that TF holds for static is of now."""
        ros = self.config.ros
        try:
            found = self._transforms.lookup_stamped(ros.odom_frame, ros.base_frame) if self._transforms else None
        except AirsideError as error:
            self.health.odometry_failed("invalid", str(error))
            return None
        return found and (found[0] or self._node.get_clock().now().nanoseconds, found[1])

    def _new_health(self) -> NodeHealth:
        return NodeHealth(self.rig.names, self._rules, self._pipeline.device_report())

    # Callbacks of the receiving thread.

    def _on_image(self, camera: str, message: Image | CompressedImage) -> None:
        self.health.image_arrived(camera, time.monotonic())
        stamp_ns = self._stamp_of(message)
        live = LiveImage(camera, stamp_ns, message, self.rig.cameras[camera], self.health)
        self._offer(self._synchronizer.add_image(camera, stamp_ns, live))

    def _on_odometry(self, message: Odometry) -> None:
        self.health.odometry_arrived(time.monotonic())
        try:
            state = ego_state(message, self._stamp_of(message))
        except AirsideError as error:
            self.health.odometry_failed("invalid", str(error))
            return
        self._frame_id = message.header.frame_id or self._frame_id
        self._take_state(state)

    def _on_vehicle_state(self, state: EgoState) -> None:
        """A new pose in TF."""
        self.health.odometry_arrived(time.monotonic())
        self._newest = (state.stamp_ns, time.monotonic())
        self._take_state(state)

    def _take_state(self, state: EgoState) -> None:
        self._watch_for_jumps(state)
        ready = self._synchronizer.add_odometry(
            state.stamp_ns, state.odom_from_base, state.linear_velocity, state.yaw_rate
        )
        self._offer(ready)

    def _watch_for_jumps(self, state: EgoState) -> None:
        """The fixed frame moved under all tracks: begin a new epoch."""
        jump = self._jumps.jumped(state)
        if jump:
            self._node.get_logger().warning(f"odometry jumped, tracks are forgotten: {jump}")
            self.health.odometry_failed("jumps", jump)
            self._synchronizer.reset()
            if self._tf_odometry is not None:
                self._tf_odometry.forget()

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
            self.health.count("frames_dropped", displaced)

    # The worker's thread.

    def _process(self, job: _Job) -> None:
        self.health.frame_begun(time.monotonic())
        try:
            self._work_on(job)
        finally:
            self.health.frame_ended()
            self._free_pages.after_frame(time.monotonic())

    def _work_on(self, job: _Job) -> None:
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
        own |= self._end_to_end(job.synced.stamp_ns)
        timing = {**scene.timing_ms, **{stage: 1e3 * seconds for stage, seconds in own.items()}}
        self._outputs.publish_latencies(timing)
        self.health.observe_pipeline(self._pipeline.counts)
        self.health.frame_done(timing)

    def _end_to_end(self, stamp_ns: int) -> dict[str, float]:
        """Seconds from the anchor image's stamp until now, where both are of one clock."""
        seconds = (self._node.get_clock().now().nanoseconds - stamp_ns) / 1e9
        return {"end_to_end": seconds} if 0.0 <= seconds < _LONGEST_LATENCY_S else {}

    def _follow(self, job: _Job) -> None:
        """Let the pipeline know of new options and of jumps in time; calibration comes with each frame."""
        if job.config is not self._pipeline_config:
            self._pipeline_config = job.config
            self._pipeline.reconfigure(job.config)
        if job.synced.epoch != self._epoch:
            self._epoch = job.synced.epoch
            self._pipeline.reset()
            self._outputs.clear(job.synced.stamp_ns)
            self.health.count("tracker_resets")

    def _failed(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        self.health.frame_failed(reason)
        details = "".join(traceback.format_exception(error))
        self._node.get_logger().error(f"frame failed: {reason}\n{details}", throttle_duration_sec=5.0)
