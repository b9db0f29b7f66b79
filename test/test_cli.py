"""The `airside` command as a user meets it: help, and one line for each mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airside_perception import __version__, cli
from airside_perception.commands import COMMANDS, Command

ROOT = Path(__file__).resolve().parents[1]


def airside(*arguments, cwd=None):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "airside_perception.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, env=environment)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_explains_itself_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"example:\n  airside {command}" in text


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'warp', 'rclpy', 'cv2', 'onnxruntime', 'scipy', 'rosbags', 'matplotlib'}"
    code = f"""
import sys
from airside_perception.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sorted({heavy} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"
    assert "doctor" in done.stdout


def test_version():
    done = airside("--version")
    assert (done.returncode, done.stdout) == (0, f"airside {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "airside: error: the following arguments are required: COMMAND"),
        (("evaluate",), "invalid choice: 'evaluate'"),
        (("eval",), "the following arguments are required: SEQUENCE"),
        (("eval", "no/such/bag"), "airside eval: error: no/such/bag: no such file or directory"),
        (("eval", "."), "airside eval: error: .: no bag here"),
        (("eval", ".", "--max-range", "-3"), "expected a positive number, got -3"),
        (("eval", ".", "--detector", "magic"), "invalid choice: 'magic'"),
        (("eval", ".", "--set", "refine.iteration=3"), "unknown option 'refine.iteration'; did you mean"),
        (("eval", ".", "--set", "refine.iterations"), "--set: expected NAME=VALUE, got 'refine.iterations'"),
        (("eval", ".", "--set", "refine.iterations=few"), "refine.iterations: expected a whole number, got 'few'"),
        (("eval", ".", "--score-threshold", "7"), "network.score_threshold: expected 0 to 1, got '7'"),
        (("eval", ".", "--config", "no.yaml"), "config file no.yaml: cannot be read"),
        (("replay", "no/such/bag"), "airside replay: error: no/such/bag: no such file or directory"),
        (("replay", "bag", "--rate", "0"), "expected a positive number, got 0"),
        (("synth",), "the following arguments are required: --out"),
        (("synth", "--out", "x", "--jpeg-quality", "0"), "--jpeg-quality and --label-every"),
        (("synth", "--out", "x", "--seed", "-1"), "airside synth: error: --seed: expected 0 or more, got -1"),
        (("train", "prior", "--out", "x", "--seed", "-1"), "airside train: error: --seed: expected 0 or more, got -1"),
        (("prior", "sample", "--seed", "-1"), "airside prior: error: --seed: expected 0 or more, got -1"),
        (("demo", "--out", "occupied/demo"), "--out occupied/demo: cannot be written"),
        (("export", "no.pt"), "airside export: error: checkpoint no.pt: no such file"),
        (("build-engine", "no.onnx"), "airside build-engine: error: ONNX model: expected a file, found none at"),
        (("bench", "no_such_benchmark"), "benchmark 'no_such_benchmark' is unknown; expected one of"),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(tmp_path, arguments, message):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    done = airside(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_config_file_is_read_and_flags_are_stronger(tmp_path, capsys, monkeypatch):
    (tmp_path / "site.yaml").write_text("refine: {iterations: 2, damping: 0.5}\ntracking: {min_score: 0.3}\n")
    seen = []
    monkeypatch.setattr(cli, "COMMANDS", (_probe(seen.append),))
    code = cli.main(
        ["probe", "--config", str(tmp_path / "site.yaml"), "--set", "refine.damping=0.25", "--iterations", "4"]
    )
    config = seen[0]
    assert code == 0
    assert (config.refine.iterations, config.refine.damping, config.tracking.min_score) == (4, 0.25, 0.3)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "airside probe: error: interrupted\n"),
        (PermissionError(13, "Permission denied", "/out"), 2, "airside probe: error: /out: Permission denied\n"),
        (ModuleNotFoundError("no", name="rclpy.node"), 2, "airside probe: error: rclpy is not installed;"),
    ],
)
def test_what_goes_wrong_inside_a_command(error, code, line, capsys, monkeypatch):
    def fail(config):
        raise error

    monkeypatch.setattr(cli, "COMMANDS", (_probe(fail),))
    assert cli.main(["probe"]) == code
    stderr = capsys.readouterr().err
    assert stderr.startswith(line)
    assert stderr.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(config):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "COMMANDS", (_probe(fail),))
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe"])


def test_doctor_reports_each_part_as_json_and_fails_where_a_part_does(tmp_path):
    done = airside("doctor", "--json", "--engine", tmp_path / "none.onnx")
    findings = {finding["topic"]: finding for finding in json.loads(done.stdout)}
    assert findings["numpy"]["state"] == "ok"
    assert findings["occupancy engine"]["state"] == "fail"
    assert str(tmp_path / "none.onnx") in findings["occupancy engine"]["detail"]
    assert done.returncode == 1


def _probe(act):
    """A command that hands its configuration to `act`."""
    from airside_perception.console import add_config_arguments, read_config

    def run(args):
        act(read_config(args))
        return 0

    return Command("probe", "for tests", "airside probe", add_config_arguments, run)
