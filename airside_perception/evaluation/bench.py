"""Run the scripts of benchmarks/: one script per table of docs/performance.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from airside_perception.errors import AirsideError
from airside_perception.resources import share_path


def list_benchmarks() -> dict[str, str]:
    """Name -> first line of the script's docstring, in alphabetical order.

    Raises:
        AirsideError: no scripts; an installed package does not carry them.
    """
    scripts = _scripts()
    return {
        name: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for name, path in scripts.items()
    }


def run_benchmarks(names: list[str]) -> int:
    """Run benchmarks one after the other, each in a process of its own so that none warms up another.

    Args:
        names: which; empty: all.

    Returns:
        0, or the exit code of the first script that failed.

    Raises:
        AirsideError: unknown name.
    """
    scripts = _scripts()
    unknown = [name for name in names if name not in scripts]
    if unknown:
        raise AirsideError(f"benchmark {unknown[0]!r} is unknown; expected one of {', '.join(scripts)}")
    worst = 0
    for name in names or scripts:
        print(f"== {name}", flush=True)
        code = subprocess.run([sys.executable, str(scripts[name])], check=False).returncode
        worst = worst or code
    return worst


def _scripts() -> dict[str, Path]:
    folder = share_path("benchmarks")
    scripts = {path.stem: path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")}
    if not scripts:
        raise AirsideError(
            f"no benchmarks in {folder}; they come with a source checkout, not with an installed package"
        )
    return scripts
