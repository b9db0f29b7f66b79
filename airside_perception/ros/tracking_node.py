"""The live node: a lifecycle node that turns camera images and odometry into tracks, voxels and explanations."""

from __future__ import annotations

from airside_perception.ros import one_heap  # noqa: F401 - before anything starts threads  # isort: skip

import signal
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions

from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig
from airside_perception.resources import find_file
from airside_perception.ros.calibration import collect_rig
from airside_perception.ros.diagnostics import diagnostic_array
from airside_perception.ros.libraries import load_libraries
from airside_perception.ros.memory import give_back_memory
from airside_perception.ros.middleware import use_shared_memory_profile
from airside_perception.ros.parameters import ParameterBridge
from airside_perception.ros.session import BuildPipeline, PipelineLike, TrackingSession
from airside_perception.ros.status import Level, Status
from airside_perception.ros.transforms import broadcast_rig


def build_pipeline(config: Config, rig: Rig) -> PipelineLike:
    """The real pipeline; imported here so that the node appears, or refuses a parameter, at once."""
    from airside_perception.pipeline import Pipeline

    return Pipeline.from_config(config, rig)


class TrackingNode(LifecycleNode):
    """Lifecycle node `tracking`.

    configure loads rig and models and fails with the reason; activate subscribes; deactivate
    stops publishing and forgets what waits; cleanup frees memory; errors lead back to unconfigured.
    Diagnostics are published in every state.

    Args:
        pipeline: (config, rig) -> pipeline.
        arguments: passed to the node, such as `parameter_overrides` or `namespace`.

    Raises:
        AirsideError: a parameter from outside is wrong.
    """

    def __init__(self, pipeline: BuildPipeline = build_pipeline, **arguments: Any):
        super().__init__("tracking", **arguments)
        self._build_pipeline = pipeline
        self._session: TrackingSession | None = None
        self._broadcaster: Any = None
        self._state = "unconfigured"
        self._last_failure = ""
        self._options = ParameterBridge(self, Config())
        self._options.on_change(self._on_parameters)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", 10, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        # Steady time: health is reported while simulated time stands still, too.
        self.create_timer(
            self.config.ros.diagnostics_period_s, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    @property
    def config(self) -> Config:
        """The current options."""
        return self._options.config

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load rig and models."""
        try:
            rig = self._load_rig()
            self._session = TrackingSession(self, self.config, rig, self._build_pipeline)
            self._broadcast(rig)
        except Exception as error:
            self._release()
            return self._refuse("configure", error, TransitionCallbackReturn.FAILURE)
        self._options.freeze(True)
        device = ", ".join(f"{key} {value}" for key, value in self._session.health.device.items())
        self.get_logger().info(f"configured: {len(rig.names)} cameras ({', '.join(rig.names)}); {device}")
        return self._reached("inactive", super().on_configure(state))

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and publish."""
        try:
            result = super().on_activate(state)
            if result == TransitionCallbackReturn.SUCCESS and self._session is not None:
                self._session.start()
        except Exception as error:
            return self._refuse("activate", error, TransitionCallbackReturn.ERROR)
        return self._reached("active", result)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, finish the frame in work, stop publishing."""
        try:
            if self._session is not None:
                self._session.stop()
        except Exception as error:
            return self._refuse("deactivate", error, TransitionCallbackReturn.ERROR)
        return self._reached("inactive", super().on_deactivate(state))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free models and publishers, and give their memory back."""
        self._release()
        give_back_memory()
        return self._reached("unconfigured", super().on_cleanup(state))

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from whatever state."""
        self._release()
        return self._reached("finalized", super().on_shutdown(state))

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node may be configured again. Diagnostics go on telling what failed."""
        self.get_logger().error(f"error while {state.label}: back to unconfigured")
        self._release()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    def _load_rig(self) -> Rig:
        """From the rig file, or else from the live topics; only the cameras asked for."""
        options = self.config.rig
        if not options.file:
            self.get_logger().info("rig.file is empty: waiting for camera_info and static transforms")
            return collect_rig(self.config, self.context)
        rig = Rig.load(find_file(options.file, "rig file (rig.file)"))
        return rig.subset(options.cameras) if options.cameras else rig

    def _broadcast(self, rig: Rig) -> None:
        ros = self.config.ros
        if ros.publish_tf:
            frames = [ros.optical_frame.replace("{camera}", name) for name in rig.names]
            now_ns = self.get_clock().now().nanoseconds
            self._broadcaster = broadcast_rig(self, rig, ros.base_frame, frames, now_ns)

    def _release(self) -> None:
        """Back to what the node was before configure."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._broadcaster = None
        self._options.freeze(False)

    def _refuse(self, transition: str, error: Exception, result: TransitionCallbackReturn) -> TransitionCallbackReturn:
        """Tell why a transition failed: rclpy itself says nothing of exceptions in transitions."""
        expected = isinstance(error, (AirsideError, TimeoutError))
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        self._last_failure = f"{transition} failed: {reason}"
        self.get_logger().error(self._last_failure if expected else f"{self._last_failure}\n{traceback.format_exc()}")
        return result

    def _reached(self, state: str, result: TransitionCallbackReturn) -> TransitionCallbackReturn:
        if result == TransitionCallbackReturn.SUCCESS:
            self._state, self._last_failure = state, ""
        return result

    def _on_parameters(self, config: Config) -> None:
        if self._session is not None:
            self._session.reconfigure(config)

    def _report(self) -> None:
        """Publish /diagnostics."""
        if self._state == "active" and self._session is not None:
            self._session.observe()
            statuses = self._session.health.report(time.monotonic())
        elif self._last_failure:
            statuses = [Status("summary", Level.ERROR, self._last_failure, {"state": self._state})]
        else:
            statuses = [Status("summary", Level.OK, self._state, {"state": self._state})]
        name = self.get_fully_qualified_name().lstrip("/")
        self._diagnostics.publish(diagnostic_array(statuses, self.get_clock().now().nanoseconds, name))

    @property
    def state(self) -> str:
        """Primary lifecycle state: "unconfigured", "inactive", "active" or "finalized"."""
        return self._state

    @property
    def failure(self) -> str:
        """Why the last transition failed; empty if it did not."""
        return self._last_failure


def main(arguments: Sequence[str] | None = None, pipeline: BuildPipeline = build_pipeline) -> int:
    """Executable `tracking_node`.

    Args:
        arguments: command line, for ROS to read; None: this process's.
        pipeline: as of TrackingNode; programs with a detector of their own pass one.

    Returns:
        0 when told to end, 2 when a parameter is wrong or `ros.autostart` could not configure.
    """
    # Own signal handlers: the middleware must outlive the signal, so that the node can take its leave.
    use_shared_memory_profile()
    rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    node = None
    try:
        node = TrackingNode(pipeline)
        if node.config.ros.autostart:
            _autostart(node)
        elif pipeline is build_pipeline:
            node.get_logger().info("loading libraries")
            load_libraries(lambda: bool(stopping))
            give_back_memory()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not stopping:
            executor.spin_once(timeout_sec=0.2)
    except AirsideError as error:
        print(f"tracking_node: error: {error}", file=sys.stderr)
        return 2
    except ExternalShutdownException:
        pass
    finally:
        if node is not None:
            _take_leave(node)
        rclpy.try_shutdown()
    return 0


def _autostart(node: TrackingNode) -> None:
    """Configure and activate at once.

    Raises:
        AirsideError: configuring failed.
    """
    if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        raise AirsideError(node.failure or "configure failed")
    node.trigger_activate()


def _take_leave(node: TrackingNode) -> None:
    """Shut the lifecycle down from whatever state it is in."""
    if rclpy.ok():
        node.trigger_shutdown()
    node.destroy_node()


if __name__ == "__main__":
    sys.exit(main())
