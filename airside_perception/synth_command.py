"""`airside synth` and `airside export-nuscenes`: arguments, and the functions of a lower floor that they call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from airside_perception.console import (
    add_json_argument,
    comma_separated,
    fields_of,
    positive,
    report,
    sequence_at,
    writable_folder,
)
from airside_perception.errors import AirsideError


def add_synth_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside synth`."""
    parser.add_argument("--out", type=Path, required=True, help="sequence folder to write; new or empty")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is drawn (default: %(default)s)")
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="asset families (default: %(default)s)"
    )
    parser.add_argument("--rig", default="four_surround", help="preset or rig YAML (default: %(default)s)")
    parser.add_argument("--duration", dest="duration_s", type=positive, default=10.0, help="seconds (default: 10)")
    parser.add_argument("--rate", dest="rate_hz", type=positive, default=10.0, help="frames per second (default: 10)")
    parser.add_argument(
        "--layout",
        help="stands, scatter, turnaround or one of its phases: arrival, pushback, docking, loading, departure; "
        "default: drawn by the seed",
    )
    parser.add_argument(
        "--condition",
        help="clear, low_sun, overcast, fog, wet, night, dusk or snow; default: drawn by the seed",
    )
    parser.add_argument(
        "--look", default="realistic", help="realistic, or randomised: made-up textures and lights (default: realistic)"
    )
    parser.add_argument(
        "--assets", type=Path, metavar="DIR", help="own meshes (GLB, OBJ, PLY, STL), each with a YAML, join the scene"
    )
    parser.add_argument(
        "--backend", default="raster", help="raster, or cycles: path-traced, slow (default: %(default)s)"
    )
    parser.add_argument("--samples", type=int, default=14, help="paths a pixel with cycles (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="device of the rasteriser (default: %(default)s)")
    _add_camera_arguments(parser.add_argument_group("images"))
    _add_truth_arguments(parser.add_argument_group("what is written beside them"))
    many = parser.add_argument_group("many sequences")
    many.add_argument(
        "--count", type=int, metavar="N", help="write OUT/<seed> for N seeds from --seed on; whole ones are kept"
    )
    many.add_argument("--jobs", type=int, default=1, metavar="J", help="processes, with --count (default: 1)")
    add_json_argument(parser)


def _add_camera_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--raw", action="store_true", help="store raw images instead of JPEG")
    group.add_argument("--jpeg-quality", type=int, default=90, help="1..100 (default: %(default)s)")
    group.add_argument(
        "--jitter-ms", type=float, default=4.0, help="cameras expose up to so much after the first (default: 4)"
    )
    group.add_argument("--drop", type=float, default=0.0, help="share of single images that are lost (default: 0)")


def _add_truth_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--label-every", type=int, default=1, help="label images and voxels of every n-th frame")
    group.add_argument(
        "--layers",
        type=comma_separated,
        default=(),
        help="also write, separated by commas: instance, normals, object_coordinates, forward_flow, backward_flow",
    )
    group.add_argument(
        "--point-tracks", type=int, default=0, metavar="N", help="follow about N surface points (default: 0, none)"
    )
    group.add_argument("--preview", action="store_true", help="also write preview.png, a contact sheet of all layers")
    group.add_argument(
        "--format", default="apron", help="apron, or nuscenes: tables and image files (default: %(default)s)"
    )


def run_synth_command(args: argparse.Namespace) -> int:
    """Run `airside synth`."""
    if not 1 <= args.jpeg_quality <= 100 or args.label_every < 1:
        raise AirsideError("--jpeg-quality and --label-every: expected 1..100 and at least 1")
    if args.count is None and args.jobs != 1:
        raise AirsideError("--jobs: expected together with --count N, the number of sequences")
    from airside_perception.synth.sequence_options import SynthOptions

    quality = None if args.raw else args.jpeg_quality
    jitter_s = args.jitter_ms / 1000
    options = SynthOptions(**fields_of(SynthOptions, args, jpeg_quality=quality, camera_jitter_s=jitter_s))
    if args.count is None:
        from airside_perception.synth.generate import run_synth

        _report({**run_synth(options), "sequence": str(args.out)}, args.json)
        return 0
    from airside_perception.synth.many_sequences import run_synths

    _report({**run_synths(options, args.count, args.jobs), "folder": str(args.out)}, args.json)
    return 0


def _report(manifest: dict[str, Any], as_json: bool) -> None:
    if not as_json:
        # The options are those that the reader has just typed.
        manifest = {k: len(v) if k == "episodes" else v for k, v in manifest.items() if k != "options"}
    report(manifest, as_json)


def add_export_nuscenes_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside export-nuscenes`."""
    parser.add_argument("sequences", nargs="+", type=Path, metavar="SEQUENCE", help="sequence with ground truth")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder to write; new or empty")
    parser.add_argument("--jpeg-quality", type=int, default=90, help="1..100 (default: %(default)s)")
    add_json_argument(parser)


def run_export_nuscenes_command(args: argparse.Namespace) -> int:
    """Run `airside export-nuscenes`."""
    if not 1 <= args.jpeg_quality <= 100:
        raise AirsideError(f"--jpeg-quality: expected 1..100, got {args.jpeg_quality}")
    sequences = [sequence_at(path) for path in args.sequences]
    named = {path.resolve().name: path for path in sequences}
    if len(named) < len(sequences):
        raise AirsideError("export-nuscenes: expected sequences whose folders have different names; rename one")
    if any(writable_folder(args.out).iterdir()):
        raise AirsideError(f"--out {args.out}: expected a folder that is new or empty; choose another")
    from airside_perception.synth.nuscenes_export import export_nuscenes
    from airside_perception.synth.nuscenes_tables import VERSION

    counts = export_nuscenes(named, args.out, args.jpeg_quality)
    report({"dataroot": str(args.out), "version": VERSION, "records": counts}, args.json)
    return 0
