"""Images delivered between two processes, and their latency, with and without the shared-memory profile.

python benchmarks/transport.py --seconds 6 --size 1280 960 --json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import rclpy
from _cameras import CameraPublishers, sensor_qos
from _machine import describe_machine, machine_line
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from airside_perception.resources import share_path
from airside_perception.ros.messages import stamp_from_message
from airside_perception.ros.middleware import profile_variable

CAMERAS = tuple(f"camera_{index}" for index in range(6))


def publish(arguments: argparse.Namespace) -> None:
    """The other process: waits for the subscriber, sends, ends."""
    rclpy.init()
    node = rclpy.create_node("transport_publisher")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    cameras = CameraPublishers(node, CAMERAS, tuple(arguments.size), arguments.reliable)
    cameras.wait_for_subscribers(lambda: executor.spin_once(timeout_sec=0.05))
    time.sleep(0.5)
    start = time.monotonic()
    for index in range(int(arguments.seconds * arguments.rate)):
        time.sleep(max(0.0, start + index / arguments.rate - time.monotonic()))
        cameras.send()
    time.sleep(1.0)
    rclpy.try_shutdown()


def receive(arguments: argparse.Namespace) -> dict[str, float]:
    """Start the publisher and count what comes."""
    rclpy.init()
    node = rclpy.create_node("transport_subscriber")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    latencies: list[float] = []

    def received(message: Image) -> None:
        latencies.append((node.get_clock().now().nanoseconds - stamp_from_message(message.header.stamp)) / 1e6)

    for name in CAMERAS:
        node.create_subscription(Image, f"/camera/{name}/image_raw", received, sensor_qos(arguments.reliable))
    publisher = subprocess.Popen([sys.executable, *sys.argv, "--role", "publisher"])
    while publisher.poll() is None:
        executor.spin_once(timeout_sec=0.05)
    rclpy.try_shutdown()
    sent = int(arguments.seconds * arguments.rate) * len(CAMERAS)
    p50, p95 = np.percentile(latencies, [50, 95]) if latencies else (float("nan"), float("nan"))
    share = len(latencies) / sent
    return {"sent": sent, "received": len(latencies), "share": share, "p50_ms": float(p50), "p95_ms": float(p95)}


def measure(profile: str, extra: list[str]) -> dict[str, Any]:
    """One run in fresh processes with a transport profile; an empty name means the middleware's default."""
    environment = {k: v for k, v in os.environ.items() if "DEFAULT_PROFILES_FILE" not in k}
    if profile:
        environment[profile_variable()] = profile
    command = [sys.executable, __file__, "--role", "subscriber", *extra]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {"profile": profile or "default", **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long to send (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="frames per second (default: %(default)s)")
    parser.add_argument("--size", type=int, nargs=2, default=[640, 400], help="width height (default: %(default)s)")
    parser.add_argument("--reliable", action="store_true", help="reliable instead of best effort")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--role", choices=("publisher", "subscriber"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "publisher":
        publish(arguments)
        return
    if arguments.role == "subscriber":
        print(json.dumps(receive(arguments)))
        return
    machine = describe_machine()
    extra = ["--seconds", str(arguments.seconds), "--rate", str(arguments.rate), "--size", *map(str, arguments.size)]
    extra += ["--reliable"] if arguments.reliable else []
    rows = [measure(profile, extra) for profile in ("", str(share_path("config/fastdds_shm.xml")))]
    if arguments.json:
        print(json.dumps({"rows": rows, "machine": machine}))
        return
    for row in rows:
        print(
            f"{row['profile']}: {row['received']} of {row['sent']} images ({100 * row['share']:.1f} %), "
            f"p50 {row['p50_ms']:.1f} ms, p95 {row['p95_ms']:.1f} ms"
        )
    print(machine_line(machine))


if __name__ == "__main__":
    main()
