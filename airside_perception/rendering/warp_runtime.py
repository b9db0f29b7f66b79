"""Start NVIDIA Warp quietly, with a kernel cache that works for any user and any HOME."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import warp as wp

WarpArray = Any
"""A Warp array; what its functions return has no one type of its own."""

if hasattr(wp.config, "log_level"):
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
else:  # older Warp has only this switch
    setattr(wp.config, "quiet", True)  # noqa: B010


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _kernel_cache_folder() -> Path | None:
    """Warp's own choice where that is writable (None), else a private folder under the temporary directory."""
    if "WARP_CACHE_PATH" in os.environ or wp.config.kernel_cache_dir:
        return None
    # Warp takes XDG_CACHE_HOME as it stands: an empty one would put the cache into the working directory.
    cache_home = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    if os.path.isabs(cache_home) and _is_writable(Path(cache_home) / "warp"):
        return None
    return Path(tempfile.gettempdir()) / f"airside_perception_warp_{os.getuid()}"


@contextmanager
def _without_missing_driver_warning() -> Iterator[None]:
    """Drop the line that Warp's native code prints where there is no GPU; pass on anything else.

    It is written to file descriptor 2 itself, hence the detour through a file.
    """
    if torch.cuda.is_available():
        yield
        return
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                if b"NVIDIA CUDA driver" not in line:
                    os.write(2, line)


@lru_cache(maxsize=1)
def start_warp() -> None:
    """Initialise Warp once; safe to call from every entry point."""
    fallback = _kernel_cache_folder()
    if fallback is not None:
        fallback.mkdir(mode=0o700, parents=True, exist_ok=True)
        wp.config.kernel_cache_dir = str(fallback)
    with _without_missing_driver_warning():
        wp.init()


def launch(kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: list, device: torch.device) -> None:
    """Launch `kernel` on the torch device, on torch's current stream where that is CUDA.

    Args:
        kernel: a Warp kernel; outputs are passed among `inputs`.
        dim: launch shape.
        inputs: Warp arrays (of torch tensors, shared without copy) and plain numbers.
        device: torch device of all arrays.
    """
    if device.type == "cuda":
        stream = wp.stream_from_torch(torch.cuda.current_stream(device))
        wp.launch(kernel, dim=dim, inputs=inputs, stream=stream)
    else:
        wp.launch(kernel, dim=dim, inputs=inputs, device="cpu")
