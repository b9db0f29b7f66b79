"""`airside train`, `export` and `build-engine`: arguments, and the functions of a lower floor that they call."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from airside_perception.console import (
    add_json_argument,
    existing_file,
    fields_of,
    log_to_stderr,
    positive,
    report,
    writable_folder,
)
from airside_perception.errors import AirsideError


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside train`."""
    parser.add_argument("what", choices=("occupancy", "prior"))
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, log and curves")
    parser.add_argument("--pool", type=Path, help="folder of samples; default: one in --out, filled while training")
    parser.add_argument("--minutes", type=positive, default=60.0, help="budget of 'occupancy' (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of weights and draws (default: that of the shipped weights)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: %(default)s)")
    parser.add_argument("--assets", type=Path, metavar="DIR", help="own meshes that join the generated assets")
    parser.add_argument(
        "--bags",
        nargs="+",
        metavar="DIR",
        help="train on recordings with ground_truth/depth and semantic instead of generated scenes",
    )
    parser.add_argument("--contract", default="dense3d", help="2d, lidar, dense3d or mixed (default: %(default)s)")
    parser.add_argument("--ray-terms", default="query", help="of 2d, lidar, mixed: query (the default), render or both")
    for name, meaning in (
        ("auxiliary-rays", "use no rays of adjacent frames"),
        ("dynamic-masks", "keep rays of adjacent frames that meet what moves"),
        ("class-balance", "draw and weight rays of all classes alike"),
    ):
        parser.add_argument(f"--no-{name}", dest=name.replace("-", "_"), action="store_false", help=meaning)
    parser.add_argument(
        "--initial", default="", metavar="FILE", help="checkpoint or exported .onnx whose weights start the training"
    )
    parser.add_argument(
        "--previous-volume",
        action="store_true",
        help="a network that takes the features of the frame before, moved by odometry, and says velocities",
    )
    parser.add_argument(
        "--optimizer",
        choices=("adamw", "muon"),
        default="adamw",
        help="adamw, or muon for tuning trained weights with --initial (default: %(default)s)",
    )
    parser.add_argument("--fresh", dest="resume", action="store_false", help="ignore an earlier checkpoint in --out")


def run_train_command(args: argparse.Namespace) -> int:
    """Train what was asked for; returns the exit status."""
    if args.seed is None:
        del args.seed
    elif args.seed < 0:
        raise AirsideError(f"--seed: expected 0 or more, got {args.seed}")
    out = writable_folder(args.out)
    log_to_stderr()
    if args.what == "occupancy":
        from airside_perception.occupancy.network_spec import NetworkSpec
        from airside_perception.training.train_occupancy import train
        from airside_perception.training.training_options import TrainingOptions

        pool = {"pool": str(args.pool), "generators": 0} if args.pool else {"pool": str(out / "pool"), "generators": 1}
        if args.assets and args.pool:
            raise AirsideError("--assets: expected without --pool, whose samples exist already; got both")
        pool["assets"] = str(args.assets or "")
        if args.bags and (args.pool or args.assets):
            raise AirsideError("--bags: expected without --pool and --assets; got both")
        if args.bags:
            pool["generators"] = 0
        options = TrainingOptions(**fields_of(TrainingOptions, args, out=str(out), **pool))
        spec = NetworkSpec(previous_volume=options.previous_volume)
        _ = options.supervision  # a wrong contract is refused before minutes go into samples
        if args.bags:
            from airside_perception.training.bag_samples import fill_pool_from_bags

            counts = fill_pool_from_bags(args.bags, options.pool, spec)
            options = replace(options, least_samples=max(1, min(options.least_samples, counts["train"])))
        checkpoint = train(spec, options)
    else:
        from airside_perception.training.train_prior import PriorTrainingOptions, train_prior

        own = str(args.assets or "")
        checkpoint = train_prior(PriorTrainingOptions(**fields_of(PriorTrainingOptions, args, own_assets=own)))
    print(f"checkpoint: {checkpoint}")
    return 0


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside export`."""
    parser.add_argument(
        "networks",
        nargs="+",
        type=Path,
        metavar="checkpoint",
        help="checkpoint.pt of `airside train occupancy`; several of them, or exported files, give their mean",
    )
    parser.add_argument("--out", type=Path, default=Path("engines/occupancy.onnx"), help="default: %(default)s")
    parser.add_argument("--shares", nargs="+", type=float, help="how much each of several counts (default: all alike)")
    parser.add_argument("--pool", type=Path, help="training samples whose val part gives scores and thresholds")
    parser.add_argument("--model-card", type=Path, metavar="FILE", help="also describe the model in this file")
    parser.add_argument("--opset", type=int, default=17, help="version of the ONNX operators (default: %(default)s)")
    parser.add_argument(
        "--single-frame",
        action="store_true",
        help="leave out the memory that --previous-volume trained; checkpoints only",
    )
    add_json_argument(parser)


def run_export_command(args: argparse.Namespace) -> int:
    """Export a checkpoint, or the mean of several; returns the exit status."""
    for network in args.networks:
        existing_file(network, "checkpoint")
    several = len(args.networks) > 1
    if not several and args.shares:
        raise AirsideError("--shares: expected with several networks, got one")
    if not (several or args.pool) and args.networks[0].suffix == ".onnx":
        raise AirsideError(
            f"{args.networks[0]}: expected a checkpoint, --pool or several networks; it is exported already"
        )
    writable_folder(args.out.parent)
    if several or args.pool:
        from airside_perception.training.mean_weights import export_mean

        shares = args.shares or [1.0] * len(args.networks)
        scores = export_mean(args.networks, shares, args.out, args.pool, args.model_card, args.opset, args.single_frame)
    else:
        from airside_perception.training.export import export_checkpoint

        scores = export_checkpoint(args.networks[0], args.out, args.model_card, args.opset, args.single_frame)
    report({"model": str(args.out), **scores}, args.json)
    return 0


def add_build_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside build-engine`."""
    parser.add_argument("model", nargs="?", default="engines/occupancy.onnx", help="ONNX model (default: %(default)s)")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp16", help="default: %(default)s")
    parser.add_argument(
        "--runtime",
        choices=("onnxruntime", "tensorrt"),
        default="tensorrt",
        help="what the engine is for; onnxruntime takes fp32 and int8 (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="quantised file; default: MODEL.int8.onnx here")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="samples (.npz of a training pool) that calibrate int8; default: frames of the generator",
    )
    parser.add_argument("--cache-dir", type=Path, help="where plans are kept; default: the user's cache folder")
    parser.add_argument("--max-cameras", type=int, default=8, help="most cameras of a plan (default: %(default)s)")


def run_build_engine_command(args: argparse.Namespace) -> int:
    """Build an engine; returns the exit status."""
    from airside_perception.inference import load_engine
    from airside_perception.resources import find_file

    log_to_stderr()
    model = find_file(args.model, "ONNX model")
    if args.precision != "int8" and (args.out or args.calibration):
        raise AirsideError(f"--out, --calibration: expected with --precision int8, got {args.precision}")
    if args.precision == "fp16" and args.runtime == "onnxruntime":
        raise AirsideError("--precision: expected fp32 or int8 for onnxruntime, got fp16; use --runtime tensorrt")
    if args.precision == "int8":
        from airside_perception.training.quantization import build_quantized

        model = build_quantized(
            model, args.out or Path(model.stem + ".int8.onnx"), args.calibration, symmetric=args.runtime == "tensorrt"
        )
        print(f"quantised: {model}; run it with --set network.engine={model}")
    if args.max_cameras < 1:
        raise AirsideError(f"--max-cameras: expected at least 1, got {args.max_cameras}")
    engine = load_engine(
        model,
        runtime=args.runtime,
        precision=args.precision,
        cache_dir=args.cache_dir,
        max_cameras=args.max_cameras,
    )
    print(f"ready: {engine.runtime}")
    return 0
