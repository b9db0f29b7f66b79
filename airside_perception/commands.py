"""The subcommands of `airside`: arguments of each, and the one function of a lower floor that it calls.

That function is imported when its command runs, so that `airside --help` answers at once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airside_perception.console import (
    add_config_arguments,
    add_json_argument,
    positive,
    read_config,
    report,
    sequence_at,
    writable_folder,
)
from airside_perception.prior_command import add_prior_arguments, run_prior_command
from airside_perception.synth_command import (
    add_export_nuscenes_arguments,
    add_synth_arguments,
    run_export_nuscenes_command,
    run_synth_command,
)
from airside_perception.training_command import (
    add_build_engine_arguments,
    add_export_arguments,
    add_train_arguments,
    run_build_engine_command,
    run_export_command,
    run_train_command,
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
        add_train_arguments,
        run_train_command,
    ),
    Command(
        "export",
        "write a trained occupancy network as ONNX",
        "airside export out/train/best.pt --out engines/occupancy.onnx",
        add_export_arguments,
        run_export_command,
    ),
    Command(
        "build-engine",
        "build the engine of this machine ahead of time",
        "airside build-engine --precision fp16",
        add_build_engine_arguments,
        run_build_engine_command,
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
