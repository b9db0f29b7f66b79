"""A fleet's own equipment: meshes from files take part in scenes beside the procedural assets."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from airside_perception.errors import AirsideError
from airside_perception.synth.assets import Asset
from airside_perception.synth.catalogue import SPLITS
from airside_perception.synth.mesh import PAINT, Mesh
from airside_perception.synth.scene_geometry import SEMANTIC_OF_ASSET
from airside_perception.synth.variation import stretch_factors
from airside_perception.synth.wear import WEAR, weathered

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
PREFIX = "own:"
"""Kinds of own assets are named by this and the file's name."""

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
AXES = {
    sign + axis: (1.0 if sign == "+" else -1.0) * np.eye(3)[index]
    for index, axis in enumerate("xyz")
    for sign in ("+", "-")
}

MOST_TRIANGLES = 60_000
SIZE_TOLERANCE = 0.1
"""Share by which the mesh may be off the size that its YAML states."""

_KEYS = ("class", "subtype", "size", "forward", "up", "unit", "split")
_DISPLAY_GAMMA = 2.2


@dataclass(frozen=True, eq=False)
class OwnAsset:
    """One mesh file, turned, scaled and checked.

    Attributes:
        name: of the file, without its suffix.
        class_name, subtype: what it is; a subtype of the catalogue takes that kind's places in turnarounds.
        splits: which may show it.
        mesh: x forward, z up, metres, box-centred.
    """

    name: str
    class_name: str
    subtype: str
    splits: tuple[str, ...]
    mesh: Mesh

    @property
    def kind(self) -> str:
        """Name among the kinds of a scene."""
        return PREFIX + self.name

    def make(self, seed: int, split: str) -> Asset:
        """One of its kind, with dirt of its own; in training also stretched like any other asset."""
        rng = np.random.default_rng([seed, len(self.name)])
        mesh = weathered(self.mesh, rng, WEAR[self.class_name])
        if split == "train":
            mesh = mesh.scaled(stretch_factors(rng, self.class_name))
        return Asset(
            name=f"{self.kind}/{self.name}/{seed}",
            class_name=self.class_name,
            subtype=self.subtype,
            family=self.name,
            split=split,
            mesh=mesh,
            size=mesh.size.astype(np.float64),
        )


def load_own_assets(folder: str | Path | None) -> tuple[OwnAsset, ...]:
    """All meshes of a folder, each with a YAML of the same name beside it.

    Args:
        folder: holds files such as `loader.glb` and `loader.yaml`; None: no assets.

    Raises:
        AirsideError: no such folder, a mesh without YAML, a wrong field, a mesh that is empty, not in the stated
            unit or of other proportions than stated; the message says what to do.
    """
    if folder is None:
        return ()
    folder = Path(folder)
    if not folder.is_dir():
        raise AirsideError(f"--assets {folder}: expected a folder with meshes ({', '.join(SUFFIXES)}), found none")
    paths = sorted(
        (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES),
        key=lambda path: (path.stem, path.suffix),
    )
    if not paths:
        raise AirsideError(f"--assets {folder}: expected meshes ({', '.join(SUFFIXES)}) in it, found none")
    for first, second in pairwise(paths):
        if first.stem == second.stem:
            raise AirsideError(f"--assets {folder}: expected one mesh a name, got {first.name} and {second.name}")
    return tuple(load_own_asset(path) for path in paths)


def load_own_asset(path: Path) -> OwnAsset:
    """One mesh and its YAML; errors as of `load_own_assets`."""
    description = path.with_suffix(".yaml")
    if not description.is_file():
        raise AirsideError(
            f"{path}: expected its description {description.name} beside it, found none; "
            "write one with class, subtype, size and forward"
        )
    fields = _read_fields(description)
    vertices, faces, colors = _read_mesh(path)
    up = fields["up"] or ("+y" if path.suffix.lower() in (".glb", ".gltf") else "+z")
    forward = fields["forward"]
    if forward[1] == up[1]:
        raise AirsideError(f"{description}: expected axes that differ, got forward {forward} and up {up}")
    rows = np.stack([AXES[forward], np.cross(AXES[up], AXES[forward]), AXES[up]])
    vertices = (vertices @ rows.T) * UNITS[fields["unit"]]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    extent, size = high - low, np.asarray(fields["size"], float)
    _check_extent(path, description, extent, size, fields["unit"])
    placed = ((vertices - (low + high) / 2) * (size / extent)).astype(np.float32)
    mesh = Mesh(placed, faces, colors, np.full(len(faces), PAINT, np.uint8))
    if fields["class"] in ("aircraft", "gse", "person", "obstacle") and mesh.volume < 0:
        mesh = Mesh(placed, np.ascontiguousarray(faces[:, ::-1]), colors, mesh.face_materials)
    splits = SPLITS if fields["split"] == "all" else (fields["split"],)
    return OwnAsset(path.stem, fields["class"], fields["subtype"], splits, mesh)


def _read_fields(path: Path) -> Mapping[str, Any]:
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AirsideError(f"{path}: expected YAML, cannot read it ({str(error).splitlines()[0]})") from error
    if not isinstance(fields, dict):
        raise AirsideError(f"{path}: expected the keys {', '.join(_KEYS)}, got {type(fields).__name__}")
    for key in fields:
        if key not in _KEYS:
            nearest = difflib.get_close_matches(str(key), _KEYS, 1, 0.0)[0]
            raise AirsideError(f"{path}: unknown key '{key}'; did you mean '{nearest}'? Known: {', '.join(_KEYS)}")
    fields = {"unit": "m", "split": "all", "up": None, "forward": "+x", **fields}
    _expect(path, "class", fields.get("class"), tuple(SEMANTIC_OF_ASSET))
    _expect(path, "unit", fields["unit"], tuple(UNITS))
    _expect(path, "split", fields["split"], ("all", *SPLITS))
    for key in ("forward", "up"):
        if fields[key] is not None:
            _expect(path, key, fields[key], tuple(AXES))
    if not isinstance(fields.get("subtype"), str) or not fields["subtype"]:
        raise AirsideError(f"{path}: subtype: expected a name such as belt_loader, got {fields.get('subtype')!r}")
    size = fields.get("size")
    numbers = [v for v in size if isinstance(v, (int, float))] if isinstance(size, list) else []
    if len(numbers) != 3 or len(numbers) != len(size or ()) or not all(0.01 < v < 200.0 for v in numbers):
        raise AirsideError(f"{path}: size: expected [length, width, height] in metres, got {size!r}")
    return fields


def _expect(path: Path, key: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise AirsideError(f"{path}: {key}: expected one of {', '.join(known)}, got {value!r}")


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V, 3) float64 vertices as in the file, (F, 3) int32 faces, (F, 3) float32 linear colours."""
    import trimesh

    if not path.stat().st_size:
        raise AirsideError(f"{path}: expected a mesh, but the file is empty; export the model again")
    try:
        mesh: Any = trimesh.load(path, force="mesh", process=False)
    except Exception as error:  # every format has its own kinds of errors
        raise AirsideError(f"{path}: expected a mesh, cannot read it ({error})") from error
    faces = np.asarray(getattr(mesh, "faces", ()), np.int32).reshape(-1, 3)
    if not len(faces):
        raise AirsideError(f"{path}: expected triangles, found none; export the model as a mesh")
    if len(faces) > MOST_TRIANGLES:
        raise AirsideError(f"{path}: expected at most {MOST_TRIANGLES} triangles, got {len(faces)}; simplify the model")
    colors = _face_colors(mesh, faces)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)
    if not np.isfinite(vertices).all():
        raise AirsideError(f"{path}: expected finite vertices, got NaN or infinity; export the model again")
    return vertices, faces, colors


def _face_colors(mesh: Any, faces: np.ndarray) -> np.ndarray:
    """(F, 3) float32 linear albedo: face or vertex colours or the texture under the vertices, else light grey."""
    visual = mesh.visual
    if visual.kind == "texture":
        visual = visual.to_color()
    if visual.kind == "vertex":
        display = np.asarray(visual.vertex_colors, float)[faces, :3].mean(axis=1)
    elif visual.kind == "face":
        display = np.asarray(visual.face_colors, float)[:, :3]
    else:
        display = np.full((len(faces), 3), 190.0)
    return ((display / 255.0) ** _DISPLAY_GAMMA).astype(np.float32)


def _check_extent(path: Path, description: Path, extent: np.ndarray, size: np.ndarray, unit: str) -> None:
    """AirsideError unless a mesh's extent (metres) is about the stated size."""
    if (extent <= 1e-9).any():
        raise AirsideError(f"{path}: expected a body, but it is flat: {_listed(extent)} m; export all of the model")
    scale = size / extent
    if np.abs(np.log(scale)).max() <= np.log1p(SIZE_TOLERANCE):
        return
    said = f"{path}: expected {_listed(size)} m (length, width, height) as {description.name} says, "
    got = f"got {_listed(extent)} m"
    if scale.max() / scale.min() > (1 + SIZE_TOLERANCE) ** 2:
        raise AirsideError(f"{said}{got}: other proportions; correct size, forward or up there")
    fitting = [name for name, metres in UNITS.items() if abs(np.log(metres / UNITS[unit] / np.median(scale))) < 0.15]
    advice = f"write 'unit: {fitting[0]}' there" if fitting else "scale the model to metres"
    raise AirsideError(f"{said}{got}; {advice}")


def _listed(values: np.ndarray) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
