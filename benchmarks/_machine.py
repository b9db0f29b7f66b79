"""What the figures were measured on: a figure without its machine says little."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("numpy", "torch", "onnxruntime", "warp-lang")


def describe_machine() -> dict[str, Any]:
    """CPU, cores this process may use, memory, load before the run, and versions."""
    fields = _cpu_fields()
    return {
        "cpu": fields.get("model name", platform.processor() or platform.machine()),
        "cpu_family_model": f"{fields.get('cpu family', '?')}/{fields.get('model', '?')}",
        "vector_units": [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in fields.get("flags", "").split()],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def machine_line(machine: dict[str, Any]) -> str:
    """One line for people."""
    return (
        f"{machine['cpu']} (family/model {machine['cpu_family_model']}, {', '.join(machine['vector_units'])}), "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, load before {machine['load_before'][0]}"
    )


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _cpu_fields() -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo; empty elsewhere than on Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
