"""The `airside` command: parses the arguments, runs a subcommand, turns errors into one line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from airside_perception import __version__
from airside_perception.commands import COMMANDS, Command
from airside_perception.errors import AirsideError


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line; the usage stays with --help."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 good, 1 checks failed, 2 bad input, 130 interrupted)."""
    parsed = _build_parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        return command.run(parsed)
    except KeyboardInterrupt:
        return _fail(command, "interrupted", code=130)
    except BrokenPipeError:
        # The reader of our output went away (`airside ... | head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AirsideError as error:
        return _fail(command, str(error))
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "airside_perception"):
            raise
        return _fail(command, _how_to_install(missing))
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(command, f"{error.filename}: {error.strerror}")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="airside",
        description="Surround-camera perception for autonomous airside vehicles.",
        epilog="Each command has its own --help with an example. Start with: airside demo",
    )
    parser.add_argument("--version", action="version", version=f"airside {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        child = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(child)
        child.set_defaults(command=command)
    return parser


def _how_to_install(module: str) -> str:
    ros = module in ("rclpy", "launch", "launch_ros", "tf2_ros") or module.endswith(("_msgs", "_srvs", "_interfaces"))
    if ros:
        return f"{module} is not installed; source a ROS 2 workspace, or: pip install 'airside_perception[ros]'"
    return f"the Python package {module} is not installed; airside doctor lists what is missing"


def _fail(command: Command, message: str, code: int = 2) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"airside {command.name}: error: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
