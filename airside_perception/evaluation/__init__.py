"""Replay of bags through the pipeline, metrics and reports."""
