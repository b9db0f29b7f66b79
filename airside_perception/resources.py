"""Where the package's data files lie: engines, configs, launch files.

The same call works in a source checkout, after `pip install` (the files lie under the
environment's `share/`) and in a colcon workspace (`install/<package>/share/<package>`).
"""

from __future__ import annotations

import hashlib
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


def find_file(path: str | Path, what: str, sha256: str = "") -> Path:
    """An existing file that a user named: as given, else among the package's data files.

    Args:
        path: absolute, relative to the working directory, or relative to the share folder.
        what: what the file is, for the error ("occupancy engine").
        sha256: hexadecimal digest that the file must have; empty: any.

    Raises:
        AirsideError: no such file (the message names every place that was tried), or another digest.
    """
    given = Path(path).expanduser()
    for candidate in (given, share_path(given)):
        if candidate.is_file():
            _check_digest(candidate, what, sha256)
            return candidate
    shipped = share_path(given)
    tried = [str(given)] if given.is_absolute() else [str(Path.cwd() / given), str(shipped)]
    raise AirsideError(f"{what}: expected a file, found none at {' or '.join(dict.fromkeys(tried))}")


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _check_digest(path: Path, what: str, expected: str) -> None:
    if not expected:
        return
    found = file_digest(path)
    if found != expected.strip().lower():
        raise AirsideError(
            f"{what}: {path} has SHA-256 {found}, expected {expected.strip()}; "
            "the file is damaged or another one: put the right file there, or mend the expected digest"
        )
