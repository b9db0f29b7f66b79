"""Many sequences in one go: by several processes, killed at any moment and taken up again."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from airside_perception import cli
from airside_perception.bags import BagReader
from airside_perception.bags.events import ImageEvent
from airside_perception.errors import AirsideError
from airside_perception.synth import SynthOptions, run_synth, run_synths

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rig_file(small_rig, tmp_path_factory):
    path = tmp_path_factory.mktemp("rig") / "one.yaml"
    small_rig.subset(["front"]).resized(64, 40).save(path)
    return path


def options(out, rig_file, **changes):
    values = {
        "seed": 20, "rig": str(rig_file), "duration_s": 0.4, "rate_hz": 5.0, "layout": "scatter", "label_every": 9,
        "progress": False, "split": "train",
    }  # fmt: skip
    return SynthOptions(out, **{**values, **changes})


def contents(folder):
    """Truth files and decoded images of a sequence."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".png", ".json", ".npz")
    }
    with BagReader(folder / "bag") as bag:
        images = [event.decode() for event in bag.messages() if isinstance(event, ImageEvent)]
    return files, np.array(images)


def test_each_seed_gets_its_folder_and_whole_ones_are_kept(rig_file, tmp_path):
    out = tmp_path / "many"
    manifest = run_synths(options(out, rig_file), 2)
    assert manifest["seeds"] == [20, 21]
    assert manifest["frames"] == 4
    assert manifest["families"]
    assert manifest["options"]["rate_hz"] == 5.0
    assert manifest == json.loads((out / "manifest.json").read_text())
    before = (out / "20" / "bag").stat().st_mtime_ns
    more = run_synths(options(out, rig_file), 3)
    assert more["seeds"] == [20, 21, 22]
    assert (out / "20" / "bag").stat().st_mtime_ns == before
    assert {path.name for path in out.iterdir()} == {"20", "21", "22", "manifest.json"}
    alone = tmp_path / "alone"
    run_synth(options(alone, rig_file, seed=21))
    files, images = contents(out / "21")
    expected, pictures = contents(alone)
    assert files == expected
    np.testing.assert_array_equal(images, pictures)


def test_sequences_of_other_options_are_not_taken_for_these(rig_file, tmp_path):
    out = tmp_path / "many"
    run_synths(options(out, rig_file), 1)
    with pytest.raises(AirsideError, match=r"20 was made with drop 0\.0, asked for is 0\.5; remove it"):
        run_synths(options(out, rig_file, drop=0.5), 1)
    (out / "21").mkdir()
    (out / "21" / "notes.txt").write_text("mine")
    with pytest.raises(AirsideError, match="21 is there already and no sequence of this generator"):
        run_synths(options(out, rig_file), 2)
    assert (out / "21" / "notes.txt").read_text() == "mine"


def command(out, rig_file, *more):
    arguments = ["synth", "--seed", "20", "--split", "train", "--out", str(out), "--rig", str(rig_file)]
    arguments += ["--duration", "1.6", "--rate", "5", "--layout", "scatter", "--label-every", "99"]
    return [*arguments, *map(str, more)]


@pytest.mark.slow
def test_a_run_killed_in_the_middle_leaves_no_half_sequence_and_is_taken_up_again(rig_file, tmp_path):
    out = tmp_path / "many"
    arguments = [sys.executable, "-m", "airside_perception.cli", *command(out, rig_file, "--count", 2, "--jobs", 2)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 180
        while not list(out.glob(".*.unfinished/bag/*.mcap")):
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.02)
        workers = {int(child) for child in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()}
        os.kill(run.pid, signal.SIGKILL)
    # Its processes see that they are orphans and end by themselves.
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert workers
    assert list(out.glob(".*.unfinished")), "nothing was cut short: the test shows nothing"
    assert not [path for path in out.iterdir() if path.is_dir() and not path.name.startswith(".") and not whole(path)]
    resumed = options(out, rig_file, duration_s=1.6, label_every=99)
    assert run_synths(resumed, 2)["seeds"] == [20, 21]
    assert {path.name for path in out.iterdir()} == {"20", "21", "manifest.json"}
    assert all(len(contents(out / str(seed))[1]) == 8 for seed in (20, 21))


def whole(folder):
    return (folder / "manifest.json").is_file()


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_full_disk_ends_in_one_line_and_leaves_nothing(rig_file, tmp_path, capsys, many):
    """A limit on the size of files stands for the disk: writes fail in the middle just so."""
    out = tmp_path / "s"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    arguments = command(out, rig_file, "--duration", "0.4", "--raw", *(["--count", 1] if many else []))
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, hard))
    try:
        code = cli.main(arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert error.startswith("airside synth: error: --out")
    assert "writing failed (File too large); free space or choose another folder" in error
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_read_only_place_is_refused(rig_file, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    # The superuser may write anywhere but into the kernel's own file systems.
    place = Path("/proc") if os.access(folder, os.W_OK) else folder
    for run in (
        lambda: run_synth(options(place / "s", rig_file)),
        lambda: run_synths(options(place / "s", rig_file), 2),
    ):
        with pytest.raises(AirsideError, match=r"--out .*: cannot be written \(.*\); choose another folder"):
            run()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--count", "0"], "--count and --jobs: expected at least 1, got 0 and 1"),
        (["--jobs", "2"], "--jobs: expected together with --count"),
        (["--count", "2", "--jobs", "0"], "--count and --jobs: expected at least 1, got 2 and 0"),
        (["--count", "2", "--drop", "2"], "--drop: expected a share of images"),
    ],
)
def test_bad_options_are_refused(rig_file, tmp_path, capsys, more, message):
    assert cli.main(command(tmp_path / "s", rig_file, *more)) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
