"""Where the package's data files lie: engines, configs, launch files.

The same call works in a source checkout, after `pip install` (the files lie under the
environment's `share/`) and in a colcon workspace (`install/<package>/share/<package>`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from airside_perception.errors import AirsideError

PACKAGE_NAME = "airside_perception"


def _share_directories() -> Iterator[Path]:
    """Folders that may hold the package's data files, nearest first."""
    package = Path(__file__).resolve().parent
    if (package.parent / "package.xml").is_file():
        yield package.parent
    # PREFIX/lib/pythonX.Y/site-packages/airside_perception: true of virtual environments and of ament prefixes.
    if len(package.parents) > 3:
        yield package.parents[3] / "share" / PACKAGE_NAME
    yield Path(sys.prefix) / "share" / PACKAGE_NAME
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            yield Path(prefix) / "share" / PACKAGE_NAME


def share_path(relative: str | Path) -> Path:
    """Path of a data file or folder that the package ships.

    Args:
        relative: path inside the share folder, such as "engines/occupancy.onnx".

    Returns:
        The first existing candidate. When none exists, where the first one would be, so that the
        caller's own error can name it.
    """
    candidates = [folder / relative for folder in _share_directories()]
    return next((path for path in candidates if path.exists()), candidates[0])


def find_file(path: str | Path, what: str) -> Path:
    """An existing file that a user named: as given, else among the package's data files.

    Args:
        path: absolute, relative to the working directory, or relative to the share folder.
        what: what the file is, for the error ("occupancy engine").

    Raises:
        AirsideError: no such file; the message names every place that was tried.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    shipped = share_path(given)
    if shipped.is_file():
        return shipped
    tried = [str(given)] if given.is_absolute() else [str(Path.cwd() / given), str(shipped)]
    raise AirsideError(f"{what}: expected a file, found none at {' or '.join(dict.fromkeys(tried))}")
