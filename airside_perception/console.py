"""What the commands share: configuration flags, checks at the door, printed summaries."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airside_perception.config import Config, iter_fields, load_config
from airside_perception.errors import AirsideError

CONFIG_FLAGS = {
    "--rig": "rig.file",
    "--cameras": "rig.cameras",
    "--engine": "network.engine",
    "--runtime": "network.runtime",
    "--score-threshold": "network.score_threshold",
    "--iterations": "refine.iterations",
}
"""Options that have a flag of their own; all others are reached by --set."""


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """--config, --set and the flags of CONFIG_FLAGS, with help from the options themselves."""
    options = {field.name: field for field in iter_fields(load_config())}
    group = parser.add_argument_group("configuration (stronger from top to bottom)")
    group.add_argument("--config", type=Path, metavar="FILE", help="YAML; ROS parameter files do, too")
    group.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any option, such as refine.damping=0.01"
    )
    for flag, name in CONFIG_FLAGS.items():
        info = options[name].info
        doc = f"{info.doc} [{name}: {options[name].value!r}]".replace("%", "%%")
        group.add_argument(flag, dest=f"option:{name}", metavar="VALUE", help=doc)


def read_config(args: argparse.Namespace, **stronger: Any) -> Config:
    """Config from --config, --set and the flags; `stronger` (dots as double underscores) wins."""
    overrides: dict[str, Any] = {}
    for item in args.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise AirsideError(f"--set: expected NAME=VALUE, got {item!r}")
        overrides[name.strip()] = value
    for key, value in vars(args).items():
        if key.startswith("option:") and value is not None:
            overrides[key.removeprefix("option:")] = value
    overrides.update({name.replace("__", "."): value for name, value in stronger.items() if value is not None})
    return load_config(args.config, overrides)


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """--json, for commands that print a summary."""
    parser.add_argument("--json", action="store_true", help="print machine-readable output instead of text")


def writable_folder(path: Path) -> Path:
    """`path` as an existing folder that takes files.

    Raises:
        AirsideError: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(path))
    except OSError as error:
        raise AirsideError(f"--out {path}: cannot be written ({error.strerror}); choose another folder") from error
    return path


def sequence_at(path: Path) -> Path:
    """`path`, or AirsideError where there is no bag; before anything slow is imported."""
    from airside_perception.bags.sequence import open_sequence

    open_sequence(path)
    return path


def comma_separated(text: str) -> tuple[str, ...]:
    """The parts of "a,b,c"."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def positive(text: str) -> float:
    """argparse type: a finite number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


def existing_file(path: Path, what: str) -> None:
    """AirsideError unless `path` is a file."""
    if not path.is_file():
        raise AirsideError(f"{what} {path}: no such file")


def fields_of(options_type: Any, args: argparse.Namespace, **stronger: Any) -> dict[str, Any]:
    """The arguments that a dataclass of options knows."""
    known = {field.name for field in dataclasses.fields(options_type)}
    return {name: value for name, value in {**vars(args), **stronger}.items() if name in known}


def report(values: Mapping[str, Any], as_json: bool) -> None:
    """Print a summary: JSON, or one aligned line per figure."""
    if as_json:
        print(json.dumps(_plain(values), indent=2))
        return
    lines = list(_figures(values))
    width = max((len(name) for name, _ in lines), default=0)
    for name, text in lines:
        print(f"{name:<{width}}  {text}")


def _plain(value: Any) -> Any:
    """`value` for JSON, which knows no NaN: what is not a number is null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _figures(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            yield prefix + name, f"{value:.4g}"
        elif isinstance(value, (list, tuple)):
            yield prefix + name, ", ".join(map(str, value))
        else:
            yield prefix + name, "not scored" if value is None else str(value)


def log_to_stderr() -> None:
    """Show what the package logs, for commands that take minutes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
