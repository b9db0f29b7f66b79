"""The subcommands of `airside`: arguments of each, and the one function of a lower floor that it calls.

That function is imported when its command runs, so that `airside --help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from airside_perception.console import (
    add_config_arguments,
    add_json_argument,
    existing_file,
    fields_of,
    positive,
    read_config,
    report,
    sequence_at,
    writable_folder,
)
from airside_perception.errors import AirsideError
from airside_perception.prior_command import add_prior_arguments, run_prior_command
from airside_perception.synth_command import (
    add_export_nuscenes_arguments,
    add_synth_arguments,
    run_export_nuscenes_command,
    run_synth_command,
)


@dataclass(frozen=True)
class Command:
    """One subcommand: its one-line help, an example for --help, its arguments, and what it does."""

    name: str
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for results (default: %(default)s)")
    parser.add_argument("--live", action="store_true", help="run through the ROS 2 node and the middleware")
    add_json_argument(parser)


def _demo(args: argparse.Namespace) -> int:
    out = writable_folder(args.out)
    from airside_perception.evaluation.demo import run_demo
    from airside_perception.evaluation.sequence_scores import main_figures

    if args.live:
        from airside_perception.ros.live_run import run_live

        summary = run_demo(out, run_live)
    else:
        summary = run_demo(out)
    report(summary if args.json else {**main_figures(summary), "look at": "", **summary["files"]}, args.json)
    return 0


def _eval_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sequences", nargs="+", type=Path, metavar="SEQUENCE", help="sequence or bag")
    parser.add_argument("--out", type=Path, default=Path("out/eval"), help="folder for results (default: %(default)s)")
    parser.add_argument("--detections", type=Path, metavar="FILE", help="3D detections in place of the network's")
    parser.add_argument(
        "--detector", choices=("network", "none"), default="network", help="source of detections (default: %(default)s)"
    )
    parser.add_argument("--no-refine", action="store_true", help="track the detections as they are")
    parser.add_argument("--save-occupancy", action="store_true", help="write voxels of every frame")
    parser.add_argument("--max-range", type=positive, default=50.0, help="score up to this many metres (default: 50)")
    parser.add_argument("--nuscenes", action="store_true", help="field order of the nuScenes tools (size w, l, h)")
    add_config_arguments(parser)
    add_json_argument(parser)


def _eval(args: argparse.Namespace) -> int:
    config = read_config(args, refine__enabled=False if args.no_refine else None)
    sequences = [sequence_at(path) for path in args.sequences]
    out = writable_folder(args.out)
    from airside_perception.evaluation.replay import run_evaluation
    from airside_perception.evaluation.sequence_scores import main_figures

    summary = run_evaluation(
        sequences,
        out,
        config,
        detections=args.detections,
        detector=args.detector,
        refine=config.refine.enabled,
        save_occupancy=args.save_occupancy,
        max_range=args.max_range,
        nuscenes=args.nuscenes,
    )
    report(summary if args.json else main_figures(summary), args.json)
    if not args.json:
        print(f"summary: {out / 'summary.json'}\nreport:  {out / 'report' / 'index.html'}")
    return 0


def _score_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="any tracker's results")
    parser.add_argument("ground_truth", type=Path, metavar="GROUND_TRUTH.json", help="tracks.json of the sequence")
    parser.add_argument("--max-range", type=positive, default=50.0, help="score up to this many metres (default: 50)")
    add_json_argument(parser)


def _score(args: argparse.Namespace) -> int:
    from airside_perception.evaluation.tracking_metrics import score_files

    report(score_files(args.results, args.ground_truth, max_range=args.max_range), args.json)
    return 0


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="sequence or bag")
    parser.add_argument("--rate", type=positive, default=1.0, help="times real time (default: %(default)s)")
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument(
        "--paused", action="store_true", help="stand still until /bag_player/pause is called with data: false"
    )
    parser.add_argument("--no-clock", action="store_true", help="do not publish /clock")
    parser.add_argument(
        "--wait", type=float, default=5.0, help="wait at most so many seconds for subscribers (default: %(default)s)"
    )


def _replay(args: argparse.Namespace) -> int:
    sequence_at(args.bag)
    from airside_perception.ros.bag_player_node import replay

    replay(
        args.bag,
        rate=args.rate,
        loop=args.loop,
        start_paused=args.paused,
        publish_clock=not args.no_clock,
        wait_s=args.wait,
    )
    return 0


def _train_arguments(parser: argparse.ArgumentParser) -> None:
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
        "--optimizer",
        choices=("adamw", "muon"),
        default="adamw",
        help="adamw, or muon for tuning trained weights with --initial (default: %(default)s)",
    )
    parser.add_argument("--fresh", dest="resume", action="store_false", help="ignore an earlier checkpoint in --out")


def _train(args: argparse.Namespace) -> int:
    if args.seed is None:
        del args.seed
    elif args.seed < 0:
        raise AirsideError(f"--seed: expected 0 or more, got {args.seed}")
    out = writable_folder(args.out)
    _log_to_stderr()
    if args.what == "occupancy":
        from airside_perception.occupancy.network_spec import NetworkSpec
        from airside_perception.training.train_occupancy import TrainingOptions, train

        pool = {"pool": str(args.pool), "generators": 0} if args.pool else {"pool": str(out / "pool"), "generators": 1}
        if args.assets and args.pool:
            raise AirsideError("--assets: expected without --pool, whose samples exist already; got both")
        pool["assets"] = str(args.assets or "")
        if args.bags and (args.pool or args.assets):
            raise AirsideError("--bags: expected without --pool and --assets; got both")
        if args.bags:
            pool["generators"] = 0
        options = TrainingOptions(**fields_of(TrainingOptions, args, out=str(out), **pool))
        _ = options.supervision  # a wrong contract is refused before minutes go into samples
        if args.bags:
            from airside_perception.training.bag_samples import fill_pool_from_bags

            counts = fill_pool_from_bags(args.bags, options.pool, NetworkSpec())
            options = replace(options, least_samples=max(1, min(options.least_samples, counts["train"])))
        checkpoint = train(NetworkSpec(), options)
    else:
        from airside_perception.training.train_prior import PriorTrainingOptions, train_prior

        own = str(args.assets or "")
        checkpoint = train_prior(PriorTrainingOptions(**fields_of(PriorTrainingOptions, args, own_assets=own)))
    print(f"checkpoint: {checkpoint}")
    return 0


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of `airside train occupancy`")
    parser.add_argument("--out", type=Path, default=Path("engines/occupancy.onnx"), help="default: %(default)s")
    parser.add_argument("--model-card", type=Path, metavar="FILE", help="also describe the model in this file")
    parser.add_argument("--opset", type=int, default=17, help="version of the ONNX operators (default: %(default)s)")
    add_json_argument(parser)


def _export(args: argparse.Namespace) -> int:
    existing_file(args.checkpoint, "checkpoint")
    writable_folder(args.out.parent)
    from airside_perception.training.export import export_checkpoint

    scores = export_checkpoint(args.checkpoint, args.out, args.model_card, opset=args.opset)
    report({"model": str(args.out), **scores}, args.json)
    return 0


def _build_engine_arguments(parser: argparse.ArgumentParser) -> None:
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


def _build_engine(args: argparse.Namespace) -> int:
    from airside_perception.inference import load_engine
    from airside_perception.resources import find_file

    _log_to_stderr()
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


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument("--list", action="store_true", help="list them and stop")


def _bench(args: argparse.Namespace) -> int:
    from airside_perception.evaluation.bench import list_benchmarks, run_benchmarks

    if args.list:
        for name, meaning in list_benchmarks().items():
            print(f"{name:<24}  {meaning}")
        return 0
    return run_benchmarks(args.names)


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", nargs="?", type=Path, help="also look into this sequence or bag")
    parser.add_argument("--live", action="store_true", help="also listen to the cameras and odometry that run now")
    parser.add_argument("--seconds", type=positive, default=5.0, help="how long --live listens (default: %(default)s)")
    add_config_arguments(parser)
    add_json_argument(parser)


def _doctor(args: argparse.Namespace) -> int:
    config = read_config(args)
    if args.bag is not None:
        sequence_at(args.bag)
    from airside_perception.doctor import examine, format_findings

    findings = examine(config, args.bag, args.seconds if args.live else 0.0)
    if args.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        print(format_findings(findings))
    return 1 if any(finding.state == "fail" for finding in findings) else 0


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


COMMANDS = (
    Command("demo", "ten seconds of apron, from images to a report", "airside demo", _demo_arguments, _demo),
    Command(
        "synth",
        "generate a sequence: a bag with ground truth",
        "airside synth --seed 7 --out out/apron_7",
        add_synth_arguments,
        run_synth_command,
    ),
    Command(
        "export-nuscenes",
        "write generated sequences as a nuScenes dataset",
        "airside export-nuscenes out/apron_7 out/apron_8 --out out/nuscenes",
        add_export_nuscenes_arguments,
        run_export_nuscenes_command,
    ),
    Command(
        "eval",
        "run the pipeline over sequences and score it",
        "airside eval out/apron_7 --out out/eval --set refine.iterations=4",
        _eval_arguments,
        _eval,
    ),
    Command(
        "score",
        "score a results file against ground truth, without images",
        "airside score out/eval/results.json out/apron_7/ground_truth/tracks.json",
        _score_arguments,
        _score,
    ),
    Command(
        "replay",
        "publish a bag on ROS 2 topics with /clock",
        "airside replay out/apron_7 --rate 0.5",
        _replay_arguments,
        _replay,
    ),
    Command(
        "train",
        "train the occupancy network or the object prior",
        "airside train occupancy --out out/train --minutes 60",
        _train_arguments,
        _train,
    ),
    Command(
        "export",
        "write a trained occupancy network as ONNX",
        "airside export out/train/best.pt --out engines/occupancy.onnx",
        _export_arguments,
        _export,
    ),
    Command(
        "build-engine",
        "build the engine of this machine ahead of time",
        "airside build-engine --precision fp16",
        _build_engine_arguments,
        _build_engine,
    ),
    Command(
        "prior",
        "show what the object prior can make",
        "airside prior sample --out out/prior.png",
        add_prior_arguments,
        run_prior_command,
    ),
    Command("bench", "measure speed and quality", "airside bench --list", _bench_arguments, _bench),
    Command(
        "doctor",
        "check the installation, the engines and, if given, a bag or what runs live",
        "airside doctor out/apron_7",
        _doctor_arguments,
        _doctor,
    ),
)
