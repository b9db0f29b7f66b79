"""Surround-camera perception for autonomous airside vehicles."""

import os

__version__ = "0.1.0"

# From version 1.29 on ONNX Runtime tells its makers of models, errors and machines over the network unless this is set
# before it loads. A vehicle tells nobody. Whoever wants that sets the variable themselves.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
