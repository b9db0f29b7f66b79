"""Cache of built engines: built once, checked once, found again, never trusted blindly."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from airside_perception.errors import AirsideError

logger = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")


class EngineMismatchError(AirsideError):
    """A built engine answers differently from the reference runtime."""


@dataclass(frozen=True)
class CacheKey:
    """Everything a built plan depends on; a change in any field is another file.

    Attributes:
        model_hash: SHA-256 of the ONNX file.
        shapes: input name -> (smallest, usual, largest) shape.
        precision: "fp32", "fp16" or "int8".
        device: GPU name and compute capability.
        runtime_version: of TensorRT.
        flags: builder flags.
    """

    model_hash: str
    shapes: Mapping[str, tuple[tuple[int, ...], ...]]
    precision: str
    device: str
    runtime_version: str
    flags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """First 32 hexadecimal digits of the SHA-256 of all fields."""
        fields = asdict(self)
        fields["shapes"] = dict(sorted(self.shapes.items()))
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def default_cache_dir() -> Path:
    """~/.cache/airside_perception/engines (honours XDG_CACHE_HOME)."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "airside_perception" / "engines"


class EngineCache:
    """A folder of built plans.

    Args:
        folder: created on first write.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_cache_dir()

    def plan_path(self, key: CacheKey) -> Path:
        return self.folder / f"{key.digest}.plan"

    @property
    def timing_path(self) -> Path:
        """Kernel timings of earlier builds; they shorten the next build of a similar network."""
        return self.folder / "timing.cache"

    def get(
        self,
        key: CacheKey,
        build: Callable[[], bytes],
        load: Callable[[bytes], Loaded | None],
        verify: Callable[[Loaded], None],
    ) -> Loaded:
        """The engine of `key`: from the cache if it loads, else built, verified and kept.

        Args:
            key: what the engine depends on.
            build: makes the plan; may take minutes.
            load: plan to engine; None where the runtime rejects it.
            verify: raises EngineMismatchError where a fresh engine answers wrongly; engines that fail
                are never written.

        Raises:
            EngineMismatchError: from `verify`.
            AirsideError: a plan that was just built can't be loaded.
        """
        path = self.plan_path(key)
        cached = self._read(path)
        if cached is not None:
            engine = load(cached)
            if engine is not None:
                logger.info("engine cache: using %s", path)
                return engine
            logger.warning("engine cache: %s does not load (damaged, or of another machine); building it again", path)
            path.unlink(missing_ok=True)
        plan = build()
        engine = load(plan)
        if engine is None:
            raise AirsideError(
                f"engine build: the plan for {key.device} ({key.runtime_version}, {key.precision}) does not load; "
                "use network.runtime=onnxruntime"
            )
        verify(engine)
        self.write(path, plan)
        return engine

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError:
            return None

    def write(self, path: Path, data: bytes) -> bool:
        """Write to a temporary name, then rename; False (and a warning) where that is impossible."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            logger.warning("engine cache: can't write %s (%s); running without a cache", path, error)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return False
        return True


def check_parity(
    reference: Mapping[str, np.ndarray],
    candidate: Mapping[str, np.ndarray],
    absolute: float,
    relative: float,
    allowed_share: float = 0.0,
) -> None:
    """Compare two runtimes' answers to the same inputs.

    Args:
        reference, candidate: outputs by name.
        absolute, relative: tolerance per element: |difference| <= absolute + relative * |reference|.
        allowed_share: share of elements per output that may differ more (labels at a tie of two classes).

    Raises:
        EngineMismatchError: a missing output, another shape, values that aren't finite, or too many that differ.
    """
    for name, expected in reference.items():
        got = candidate.get(name)
        if got is None or got.shape != expected.shape:
            shape = None if got is None else got.shape
            raise EngineMismatchError(f"engine parity: output {name!r}: expected shape {expected.shape}, got {shape}")
        want, have = expected.astype(np.float64), got.astype(np.float64)
        if not np.isfinite(have).all():
            raise EngineMismatchError(f"engine parity: output {name!r} holds values that are not finite")
        difference = np.abs(have - want)
        wrong = difference > absolute + relative * np.abs(want)
        if wrong.mean() > allowed_share:
            raise EngineMismatchError(
                f"engine parity: output {name!r}: {100 * wrong.mean():.2f} % of the values differ (largest "
                f"{difference.max():.3g}, allowed {absolute:g} + {relative:g} relative); engine refused, "
                "use network.runtime=onnxruntime or another precision"
            )
