"""Names and shapes at the border between the exported network and its runner."""

from __future__ import annotations

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import Engine, TensorSpec
from airside_perception.occupancy.network_spec import (
    BOX_CHANNELS,
    CAMERA_SLOTS,
    DISPLACEMENT_CHANNELS,
    OBJECT_CHANNELS,
    RANGE_CHANNELS,
    SURFACE_CHANNELS,
    VOLUME_CORNERS,
    NetworkSpec,
)
from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS

METADATA_KEY = "airside_perception.network_spec"
"""Entry of the ONNX metadata that holds NetworkSpec.to_json()."""

INPUT_NAMES = ("images", "geometry", "feature_index", "depth_index", "depth_fraction", "slot_weight")
OUTPUT_NAMES = ("probability", "class_id", "heatmap", "boxes", "semantics", "objects", "surface", "ranges")

PREVIOUS_INPUTS = ("previous_volume", "previous_index", "previous_weight")
PREVIOUS_OUTPUTS = ("displacement", "volume")
"""Further ones of networks that take the previous frame's volume, see occupancy.previous_volume."""

OPTIONAL_OUTPUTS = ("surface", "ranges")
"""Outputs that files of earlier exports lack; what needs them goes without."""


def input_names(spec: NetworkSpec) -> tuple[str, ...]:
    """Inputs of a network, in the order of `OccupancyNetwork.forward`."""
    return INPUT_NAMES + (PREVIOUS_INPUTS if spec.previous_volume else ())


def output_names(spec: NetworkSpec) -> tuple[str, ...]:
    """Outputs of an exported network, in order."""
    return OUTPUT_NAMES + (PREVIOUS_OUTPUTS if spec.previous_volume else ())


def read_network_spec(engine: Engine) -> NetworkSpec:
    """The spec inside an engine's metadata, checked against its inputs and outputs.

    Raises:
        AirsideError: no metadata, another version, or tensors that don't fit the spec.
    """
    text = engine.metadata.get(METADATA_KEY)
    if text is None:
        raise AirsideError(
            f"network: expected metadata {METADATA_KEY!r} in the ONNX file, found {sorted(engine.metadata)}; "
            "export it with `airside export`"
        )
    spec = NetworkSpec.from_json(text)
    _check(engine.input_specs, _inputs(spec), "input")
    _check(engine.output_specs, _outputs(spec), "output")
    return spec


def _inputs(spec: NetworkSpec) -> dict[str, tuple[int | None, ...]]:
    table = (CAMERA_SLOTS, spec.lift_point_count)
    images = (None, spec.image_size[1], spec.image_size[0], 3)
    geometry = (None, GEOMETRY_CHANNELS, spec.lift_size[1], spec.lift_size[0])
    shapes: tuple[tuple[int | None, ...], ...] = (images, geometry, table, table, table, table)
    if spec.previous_volume:
        corners = (VOLUME_CORNERS, spec.grid.shape[0] * spec.grid.shape[1])
        shapes = (*shapes, spec.volume_shape, corners, corners)
    return dict(zip(input_names(spec), shapes, strict=True))


def _outputs(spec: NetworkSpec) -> dict[str, tuple[int | None, ...]]:
    x, y, z = spec.grid.shape
    classes = len(spec.object_classes)
    semantics = (None, len(spec.semantic_names), spec.lift_size[1], spec.lift_size[0])
    objects = (None, OBJECT_CHANNELS, spec.depth_size[1], spec.depth_size[0])
    surface, ranges = ((None, channels, *objects[2:]) for channels in (SURFACE_CHANNELS, RANGE_CHANNELS))
    maps = ((x, y, z), (x, y, z), (classes, x, y), (classes, BOX_CHANNELS, x, y))
    shapes: tuple[tuple[int | None, ...], ...] = (*maps, semantics, objects, surface, ranges)
    if spec.previous_volume:
        shapes = (*shapes, (classes, DISPLACEMENT_CHANNELS, x, y), spec.volume_shape)
    return dict(zip(output_names(spec), shapes, strict=True))


def _check(found: tuple[TensorSpec, ...], wanted: dict[str, tuple[int | None, ...]], kind: str) -> None:
    """Sizes of `wanted` that are None, and symbolic sizes found, fit anything."""
    by_name = {spec.name: spec.shape for spec in found}
    for name, shape in wanted.items():
        got = by_name.get(name)
        if got is None and name in OPTIONAL_OUTPUTS:
            continue
        if got is None:
            raise AirsideError(f"network: expected {kind} {name!r}, found {sorted(by_name)}; export the network again")
        fits = len(got) == len(shape) and all(
            want is None or isinstance(have, str) or want == have for want, have in zip(shape, got, strict=True)
        )
        if not fits:
            raise AirsideError(f"network: {kind} {name!r}: expected shape {shape}, got {got}; export the network again")
