"""The command `airside prior`: what the object prior knows, as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from airside_perception.console import add_config_arguments, read_config
from airside_perception.errors import AirsideError

ACTIONS = ("sample",)


def add_prior_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `airside prior`."""
    parser.add_argument("action", choices=ACTIONS, help="sample: a contact sheet of typical, random and mixed objects")
    parser.add_argument("--out", type=Path, default=Path("out/prior.png"), help="PNG to write (default: %(default)s)")
    parser.add_argument("--count", type=int, default=8, help="objects in each row, 2 to 24 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random objects (default: %(default)s)")
    add_config_arguments(parser)


def run_prior_command(args: argparse.Namespace) -> int:
    """Run `airside prior`."""
    if not 2 <= args.count <= 24:
        raise AirsideError(f"--count: expected 2 to 24 objects in a row, got {args.count}")
    if args.seed < 0:
        raise AirsideError(f"--seed: expected 0 or more, got {args.seed}")
    config = read_config(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)  # what is wrong with it shows before the work, not after
    import cv2

    from airside_perception.evaluation.prior_sheet import prior_sheet
    from airside_perception.prior import ObjectPrior
    from airside_perception.resources import find_file
    from airside_perception.synth.image_files import write_png

    sheet = prior_sheet(ObjectPrior.load(find_file(config.refine.prior, "refine.prior")), args.count, args.seed)
    write_png(args.out, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    print(args.out)
    return 0
