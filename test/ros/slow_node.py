"""The tracking node with a stand-in pipeline that takes a second for each frame: to be stopped in the middle of one."""

import sys

from ros_scenes import RepeatingPipeline

from airside_perception.ros.tracking_node import main


def build(config, rig):
    pipeline = RepeatingPipeline(config)
    pipeline.delay_s = 1.0
    return pipeline


sys.exit(main(pipeline=build))
