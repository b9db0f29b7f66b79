"""Inference engines: one protocol, ONNX Runtime and TensorRT behind it."""

from airside_perception.inference.engine import Engine, TensorSpec, load_engine
from airside_perception.inference.engine_cache import CacheKey, EngineCache, EngineMismatchError

__all__ = ["CacheKey", "Engine", "EngineCache", "EngineMismatchError", "TensorSpec", "load_engine"]
