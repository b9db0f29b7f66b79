"""Start NVIDIA Warp quietly, with a kernel cache that works for any user and any HOME."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path

import torch
import warp as wp

wp.config.quiet = True
wp.config.log_level = max(wp.config.log_level, 40)  # no driver warning on machines without a GPU


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
    cache_home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if os.path.isabs(cache_home) and _is_writable(Path(cache_home) / "warp"):
        return None
    return Path(tempfile.gettempdir()) / f"airside_perception_warp_{os.getuid()}"


@lru_cache(maxsize=1)
def start_warp() -> None:
    """Initialise Warp once; safe to call from every entry point."""
    fallback = _kernel_cache_folder()
    if fallback is not None:
        fallback.mkdir(mode=0o700, parents=True, exist_ok=True)
        wp.config.kernel_cache_dir = str(fallback)
    wp.init()


def launch(kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: list, device: torch.device) -> None:
    """Launch `kernel` on the torch device, on torch's current stream where that is CUDA.

    Args:
        kernel: a Warp kernel; outputs are passed among `inputs`.
        dim: launch shape.
        inputs: torch tensors (shared without copy; contiguous) or plain numbers.
        device: torch device of all tensors.
    """
    if device.type == "cuda":
        stream = wp.stream_from_torch(torch.cuda.current_stream(device))
        wp.launch(kernel, dim=dim, inputs=inputs, stream=stream)
    else:
        wp.launch(kernel, dim=dim, inputs=inputs, device="cpu")
