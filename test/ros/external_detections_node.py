"""The tracking node with the real pipeline, detections from a file: detector-independent numbers for tests.

python external_detections_node.py DETECTIONS.json --ros-args -p rig.file:=... -p ros.autostart:=true
"""

import sys

from airside_perception.evaluation.results_format import read_detections
from airside_perception.pipeline import Pipeline
from airside_perception.ros.tracking_node import main

detections = read_detections(sys.argv[1])
sys.exit(main([sys.argv[0], *sys.argv[2:]], lambda config, rig: Pipeline.from_config(config, rig, detections)))
