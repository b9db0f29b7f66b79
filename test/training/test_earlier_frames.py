"""Networks with a memory: what their samples bring along, and that they learn from it what no single frame shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from occupancy_samples import SPEC, _trace, drawn_sample

from airside_perception.cli import main
from airside_perception.errors import AirsideError
from airside_perception.geometry.se3 import invert_transform, pose_from_xyz_yaw, transform_points
from airside_perception.inference import load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.occupancy.network import LATER_HEADS, OccupancyNetwork
from airside_perception.occupancy.previous_volume import volume_table
from airside_perception.records import CameraImage, RigFrame
from airside_perception.training.earlier_frames import EarlierFrame
from airside_perception.training.export import export_network, load_checkpoint
from airside_perception.training.occupancy_augment import mirror, turn
from airside_perception.training.occupancy_batches import make_batch, remembered
from airside_perception.training.occupancy_data import load_sample, resize_sample, save_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.quantization import network_inputs
from airside_perception.training.single_frame import single_frame_network
from airside_perception.training.stream import EARLIER_GAP_S, training_samples
from airside_perception.training.train_occupancy import train
from airside_perception.training.training_options import TrainingOptions

MEMORY = replace(SPEC, previous_volume=True)


def with_earlier(sample, motion, velocity=(0.0, 0.0), gap_s=0.5):
    """The sample with one frame from `gap_s` before; `motion`: (4, 4) now_from_then of the vehicle."""
    then = sample.boxes.copy()
    step = np.nan_to_num(gap_s) * np.array([*velocity, 0.0])
    then[:, :2] = transform_points(invert_transform(motion), then[:, :3] - step)[:, :2]
    then[:, 6] -= np.arctan2(motion[1, 0], motion[0, 0])
    images = np.stack([_trace(camera, then)[0] for camera in sample.cameras])
    frame = EarlierFrame(images, sample.cameras, motion, gap_s)
    return replace(sample, earlier=(frame,), box_velocity=np.array([velocity], np.float32))


def pixels_of(frame, points_now):
    """(N, P, 2): where the cameras of an earlier frame see points that stand still in the sample's base_link."""
    points = transform_points(invert_transform(frame.now_from_then), points_now)
    shown = [camera.project_base(points) for camera in frame.cameras]
    return np.stack([np.where((depth > 0)[:, None], pixels, np.nan) for pixels, depth, _ in shown])


def test_earlier_frames_survive_the_disk(tmp_path):
    sample = with_earlier(drawn_sample(0), pose_from_xyz_yaw(0.7, 0.2, 0.0, 0.1))
    older = replace(sample.earlier[0], cameras=sample.cameras[:3], images=sample.earlier[0].images[:3])
    save_sample(tmp_path / "s.npz", replace(sample, earlier=(older, sample.earlier[0])), jpeg_quality=100)
    loaded = load_sample(tmp_path / "s.npz").earlier
    assert [len(frame.cameras) for frame in loaded] == [3, 4]
    assert loaded[1].now_from_then == pytest.approx(sample.earlier[0].now_from_then)
    assert loaded[1].age_s == 0.5
    assert np.abs(loaded[1].images.astype(int) - sample.earlier[0].images).mean() < 2
    assert loaded[0].cameras[2].base_from_camera == pytest.approx(sample.cameras[2].base_from_camera)
    assert load_sample(_saved(tmp_path / "t.npz", drawn_sample(1))).earlier == ()


def _saved(path, sample):
    save_sample(path, sample)
    return path


def test_earlier_frames_follow_every_change_of_the_sample():
    """A point that stands still is seen at the same pixels before and after the world is mirrored, turned, resized."""
    sample = with_earlier(drawn_sample(0), pose_from_xyz_yaw(0.7, -0.3, 0.0, 0.2))
    points = np.array([[4.0, 1.0, 0.5], [-3.0, 5.0, 1.5]])
    before = pixels_of(sample.earlier[0], points)
    assert np.isfinite(before).any()
    (turned,) = turn(sample, SPEC.grid, 1).earlier
    quarter = pose_from_xyz_yaw(0, 0, 0, np.pi / 2)
    assert pixels_of(turned, transform_points(quarter, points)) == pytest.approx(before, nan_ok=True)
    (mirrored,) = mirror(sample, SPEC.grid).earlier
    there = pixels_of(mirrored, points * [1, -1, 1])
    assert 127 - there[..., 0] == pytest.approx(before[..., 0], nan_ok=True)
    assert there[..., 1] == pytest.approx(before[..., 1], nan_ok=True)
    assert np.array_equal(mirrored.images[0, :, ::-1], sample.earlier[0].images[0])
    (smaller,) = resize_sample(sample, (64, 32)).earlier
    assert smaller.images.shape == (4, 32, 64, 3)
    assert smaller.cameras[0].width == 64


def test_frames_of_a_memory_are_chained_from_the_oldest_on():
    motions = [pose_from_xyz_yaw(1.5, 0.0, 0.0, 0.4), pose_from_xyz_yaw(0.7, 0.0, 0.0, 0.1)]
    sample = drawn_sample(0)
    frames = tuple(EarlierFrame(sample.images, sample.cameras, motion) for motion in motions)
    batch = make_batch([replace(sample, earlier=frames)] * 2, MEMORY)
    first, second = batch.earlier
    expected = volume_table(SPEC.grid, invert_transform(motions[0]) @ motions[1])
    assert np.array_equal(first.next_index[1].numpy(), expected[0])
    assert second.next_weight[0].numpy() == pytest.approx(volume_table(SPEC.grid, invert_transform(motions[1]))[1])
    torch.manual_seed(0)
    network = OccupancyNetwork(MEMORY).eval()
    network.decoder.previous.weight.data.normal_(0.0, 0.1)
    with torch.no_grad():
        volume, index, _ = remembered(network, batch)
        alone = network(*second.network_inputs()).volume
        after = network(*second.network_inputs(), network(*first.network_inputs()).volume, *expected_on(first)).volume
    assert torch.equal(index, second.next_index)
    assert torch.allclose(volume, after, atol=1e-5)
    assert not torch.allclose(volume, alone, atol=1e-3)
    assert make_batch([replace(sample, earlier=frames)], SPEC).earlier == (), "a network without a memory needs none"


def expected_on(batch):
    return batch.next_index, batch.next_weight


def test_samples_of_a_batch_remember_each_as_much_as_it_has():
    motions = [pose_from_xyz_yaw(1.5, 0.0, 0.0, 0.4), pose_from_xyz_yaw(0.7, 0.0, 0.0, 0.1)]
    long, short, none = drawn_sample(0), drawn_sample(1), drawn_sample(2)
    frames = tuple(EarlierFrame(long.images, long.cameras, motion) for motion in motions)
    samples = [replace(long, earlier=frames), none, replace(short, earlier=(replace(frames[1], images=short.images),))]
    batch = make_batch(samples, MEMORY)
    assert [frame.rows.tolist() for frame in batch.earlier] == [[0], [0, 2]]
    torch.manual_seed(0)
    network = OccupancyNetwork(MEMORY).eval()
    network.decoder.previous.weight.data.normal_(0.0, 0.1)
    network.decoder.previous.bias.data.normal_(0.0, 0.1)
    with torch.no_grad():
        together = network(*batch.network_inputs(), *remembered(network, batch)).voxels
        for row, sample in enumerate(samples):
            own = make_batch([sample], MEMORY)
            alone = network(*own.network_inputs(), *remembered(network, own)).voxels[0]
            assert torch.allclose(together[row], alone, atol=1e-4)


def test_a_memory_teaches_motion_and_a_single_frame_cannot():
    """Two samples that look alike and moved to and fro: only the frame before tells them apart."""
    motion = pose_from_xyz_yaw(0.4, 0.0, 0.0, 0.05)
    velocities = (2.0, -1.0), (-2.0, 1.0)
    batch = make_batch([with_earlier(drawn_sample(3), motion, velocity) for velocity in velocities], MEMORY)
    assert torch.equal(batch.images[:4], batch.images[4:])
    options = TrainingOptions(pool="", out="", threads=1, device="cpu", learning_rate=8e-3, max_steps=100)
    trainer = OccupancyTrainer(MEMORY, options)
    losses = [trainer.step(batch)["displacement"] for _ in range(100)]
    assert losses[-1] < 0.3 * losses[0]
    network = trainer.average
    rows = (batch.box_weight[:, 1] == batch.box_weight[:, 1].max()).nonzero()
    with torch.no_grad():
        volume, index, weight = remembered(network, batch)
        told = network(*batch.network_inputs(), volume, index, weight).displacement[:, 1]
        blind = network(*batch.network_inputs(), volume, index, torch.zeros_like(weight)).displacement[:, 1]
        assert torch.equal(network(*batch.network_inputs()).displacement[:, 1], blind), "as a first frame"
    for sample, x, y in rows.tolist():
        assert told[sample, :, x, y].tolist() == pytest.approx(0.5 * np.array(velocities[sample]), abs=0.5)
        assert blind[0, :, x, y].tolist() == pytest.approx(blind[1, :, x, y].tolist(), abs=1e-4)


def test_motion_is_learned_first_when_the_rest_is_known(tmp_path):
    options = TrainingOptions(pool="", out="", threads=1, device="cpu", learning_rate=8e-3, max_steps=300)
    OccupancyTrainer(SPEC, options).save(tmp_path / "single.pt", {})
    trainer = OccupancyTrainer(MEMORY, replace(options, initial=str(tmp_path / "single.pt")))
    start = {name: each.clone() for name, each in trainer.network.named_parameters()}
    moves = [with_earlier(drawn_sample(3), np.eye(4), velocity) for velocity in ((2.0, -1.0), (-2.0, 1.0))]
    losses = [trainer.step(make_batch(moves, MEMORY))["displacement"] for _ in range(12)]
    assert trainer.network_waits
    assert losses[-1] < losses[0]
    moved = {name for name, each in trainer.network.named_parameters() if not torch.equal(each, start[name])}
    assert any(name.startswith("decoder.motion") for name in moved)
    assert all(name.startswith(LATER_HEADS) for name in moved)


def test_motion_is_only_asked_for_with_a_memory_of_known_age():
    trainer = OccupancyTrainer(MEMORY, TrainingOptions(pool="", out="", threads=1, device="cpu", max_steps=2))
    assert "displacement" not in trainer.step(make_batch([drawn_sample(0)], MEMORY))
    undated = with_earlier(drawn_sample(0), np.eye(4), (2.0, 0.0), gap_s=float("nan"))
    assert trainer.step(make_batch([undated], MEMORY))["displacement"] == 0.0
    plain = OccupancyTrainer(SPEC, TrainingOptions(pool="", out="", threads=1, device="cpu", max_steps=2))
    assert "displacement" not in plain.step(make_batch([with_earlier(drawn_sample(0), np.eye(4))], SPEC))


def test_a_network_with_a_memory_is_exported_and_remembers(tmp_path):
    torch.manual_seed(0)
    network = OccupancyNetwork(MEMORY).eval()
    network.decoder.previous.weight.data.normal_(0.0, 0.1)
    export_network(network, tmp_path / "o.onnx")
    engine = load_engine(tmp_path / "o.onnx", "onnxruntime", threads=1)
    runner = OccupancyNetworkRunner(engine)
    sample = drawn_sample(0)
    images = {c.name: CameraImage(c, i, 0) for c, i in zip(sample.cameras, sample.images, strict=True)}
    pose = pose_from_xyz_yaw(0.5, 0.0, 0.0, 0.1)
    first = runner.run(RigFrame(0, images, (), np.eye(4))).probability
    second = runner.run(RigFrame(10**8, images, (), pose)).probability
    assert np.abs(first - second).max() > 1e-3, "the same images, another memory"
    with torch.no_grad():
        frames = (EarlierFrame(sample.images, sample.cameras, invert_transform(pose)),)
        batch = make_batch([replace(sample, earlier=frames)], MEMORY)
        voxels = network(*batch.network_inputs(), *remembered(network, batch)).voxels
    assert second == pytest.approx(torch.sigmoid(voxels[0, 0]).permute(1, 2, 0).numpy(), abs=2e-2)
    assert set(network_inputs(sample, MEMORY)) == {each.name for each in engine.input_specs}


def test_without_its_memory_a_network_answers_as_to_a_first_frame(tmp_path, capsys):
    trainer = OccupancyTrainer(MEMORY, TrainingOptions(pool="", out="", threads=1, device="cpu", max_steps=2))
    for network in (trainer.network, trainer.average):
        network.decoder.previous.bias.data.normal_(0.0, 0.5)
        network.decoder.previous.weight.data.normal_(0.0, 0.5)
    checkpoint, exported = tmp_path / "checkpoint.pt", tmp_path / "single.onnx"
    trainer.save(checkpoint, {})
    assert main(["export", str(checkpoint), "--out", str(exported), "--single-frame"]) == 0
    engine = load_engine(exported, "onnxruntime", threads=1)
    inputs = network_inputs(drawn_sample(0), SPEC)
    assert set(inputs) == {each.name for each in engine.input_specs}
    network, _ = load_checkpoint(checkpoint)
    batch = make_batch([drawn_sample(0)], MEMORY)
    with torch.no_grad():
        voxels = network(*batch.network_inputs()).voxels
        single = single_frame_network(network)
        torch.testing.assert_close(single(*batch.network_inputs()).voxels, voxels)
        network.decoder.previous.bias.zero_()
        assert not torch.allclose(network(*batch.network_inputs()).voxels, voxels, atol=1e-2), "the bias counts"
    probability = engine.run(inputs)["probability"]
    assert probability == pytest.approx(torch.sigmoid(voxels[0, 0]).permute(1, 2, 0).numpy(), abs=2e-2)
    capsys.readouterr()
    assert main(["export", *2 * [str(exported)], "--out", str(tmp_path / "o.onnx"), "--single-frame"]) == 2
    assert "--single-frame: expected checkpoints, got" in capsys.readouterr().err
    with pytest.raises(AirsideError, match="expected a network with a memory"):
        single_frame_network(OccupancyNetwork(SPEC))


def test_a_pool_without_earlier_frames_is_refused(tmp_path):
    (tmp_path / "pool" / "train").mkdir(parents=True)
    save_sample(tmp_path / "pool" / "train" / "0.npz", drawn_sample(0))
    options = TrainingOptions(
        pool=str(tmp_path / "pool"), out=str(tmp_path / "run"), max_steps=2, threads=1, device="cpu", least_samples=1
    )
    with pytest.raises(AirsideError, match="previous-volume needs samples with images of earlier frames"):
        train(MEMORY, options)
    save_sample(tmp_path / "pool" / "train" / "0.npz", with_earlier(drawn_sample(0), np.eye(4)))
    assert train(MEMORY, options).is_file()


def test_the_generator_brings_earlier_frames_along():
    samples = list(training_samples(3, "train", SPEC.grid, (128, 64), 4, cameras=2, earlier_frames=2))
    moved = 0
    for sample in samples:
        assert len(sample.earlier) == 2
        older, newer = sample.earlier
        assert older.images.shape == sample.images.shape
        steps = [np.linalg.norm(frame.now_from_then[:2, 3]) for frame in (older, newer)]
        assert steps[0] < 2 * EARLIER_GAP_S[1] * 10
        moved += steps[0] > steps[1] > 0.01
        # Light and lens stay, so frames of a moment ago look much like those of now.
        assert np.abs(newer.images.astype(int).mean((1, 2)) - sample.images.mean((1, 2))).max() < 40
    assert moved, "on some of them the vehicle drives"
    assert not next(training_samples(3, "train", SPEC.grid, (128, 64), 1, cameras=2)).earlier
