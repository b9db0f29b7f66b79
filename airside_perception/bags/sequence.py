"""Finding the bag and the ground truth behind a path that the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airside_perception.errors import AirsideError

_STORAGE_SUFFIXES = (".mcap", ".db3")


@dataclass(frozen=True)
class Sequence:
    """A recording and what is known about it.

    Attributes:
        bag_path: rosbag2 directory, or a bare .mcap or .db3 file.
        ground_truth_path: folder `ground_truth`, or None.
        name: for reports; the sequence folder's name.
    """

    bag_path: Path
    ground_truth_path: Path | None
    name: str


def open_sequence(path: str | Path) -> Sequence:
    """Resolve a sequence folder, a rosbag2 directory or a bag file.

    Ground truth is the folder `ground_truth` inside the sequence folder or beside the bag.

    Raises:
        AirsideError: there is no bag at `path`.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise AirsideError(
            f"{path}: no such file or directory. Give a sequence folder, a rosbag2 directory or a bag file."
        )
    for candidate in (path / "bag", path) if path.is_dir() else (path,):
        bag = _bag_at(candidate)
        if bag is None:
            continue
        home = candidate if bag.parent == candidate and candidate.is_dir() else bag
        found = [p for p in (path / "ground_truth", home.parent / "ground_truth") if p.is_dir()]
        name = candidate.resolve().parent.name if candidate.name == "bag" else candidate.resolve().stem
        return Sequence(bag, found[0] if found else None, name)
    raise AirsideError(
        f"{path}: no bag here. Expected a folder with bag/metadata.yaml or metadata.yaml, or a .mcap or .db3 file."
    )


def _bag_at(path: Path) -> Path | None:
    """The path to hand to the reader, or None where there is no bag."""
    if path.is_file():
        return path if path.suffix in _STORAGE_SUFFIXES else None
    if not path.is_dir():
        return None
    if (path / "metadata.yaml").is_file():
        return path
    # A recorder that crashed leaves the storage file without metadata.yaml.
    files = [p for p in path.iterdir() if p.suffix in _STORAGE_SUFFIXES]
    return files[0] if len(files) == 1 else None
