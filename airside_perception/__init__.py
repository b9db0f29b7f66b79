"""Surround-camera perception for autonomous airside vehicles."""

__version__ = "0.1.0"
