"""Which files a parameter that was set over the network may name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airside_perception.errors import AirsideError
from airside_perception.resources import share_path


class PathConfinement:
    """Whoever reaches the parameter services can set parameters; that must not let them read or write any file.

    Allowed are the package's own files, the folders of the files that were named at the start, and
    the folders of `ros.file_roots`. Links are resolved first.

    Args:
        roots: folders that are allowed as well.
        known: paths named at the start; empty ones are left out.
    """

    def __init__(self, roots: Iterable[str], known: Iterable[str]):
        folders = [share_path(".").resolve(), *(Path(root).expanduser().resolve() for root in roots)]
        for path in filter(None, known):
            folders += [place if place.is_dir() else place.parent for place in _places(path)]
        self._folders = tuple(dict.fromkeys(folders))

    def check(self, option: str, path: str) -> None:
        """Refuse a path outside.

        Raises:
            AirsideError: names the option and the allowed folders.
        """
        outside = [p for p in _places(path) if not any(p.is_relative_to(folder) for folder in self._folders)]
        if path and outside:
            raise AirsideError(
                f"{option}: {outside[0]} lies outside the folders that parameters may name after the start "
                f"({', '.join(map(str, self._folders))}); name it at the start, or put its folder into ros.file_roots"
            )


def _places(path: str) -> list[Path]:
    """Where a path may lead, as `resources.find_file` looks it up: what exists, else every candidate."""
    given = Path(path).expanduser()
    candidates = [given.resolve(), share_path(given).resolve()]
    return [place for place in candidates if place.exists()] or candidates
