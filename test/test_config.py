"""The typed configuration: names, types, ranges, and one file for the command line and for ROS."""

import dataclasses

import pytest

from airside_perception.config import Config, dump_yaml, iter_fields, load_config
from airside_perception.errors import AirsideError
from airside_perception.options import apply_values
from airside_perception.resources import share_path


def test_defaults_satisfy_their_own_ranges_and_every_option_is_documented():
    config = load_config()
    assert apply_values(config, {field.name: field.value for field in iter_fields(config)}) == config
    for field in iter_fields(config):
        assert len(field.info.doc) > 10, field.name
        assert field.info.unit or not field.name.endswith(("_s", "_m", "_ms")), field.name


def test_file_written_for_ros_is_read_back_unchanged(tmp_path):
    config = load_config(None, {"tracking.person.gate_m": 3.25, "rig.cameras": "front,rear", "refine.damping": 1e-05})
    path = tmp_path / "tracking.yaml"
    path.write_text(dump_yaml(config))
    assert load_config(path) == config


def test_shipped_parameter_file_is_the_generated_one():
    shipped = share_path("config/tracking.yaml").read_text()
    assert shipped == dump_yaml(Config()), "run: python -m airside_perception.config > config/tracking.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "sync: {max_dt_s: 0.1}",
        "sync.max_dt_s: 0.1",
        "tracking: {ros__parameters: {sync: {max_dt_s: 0.1}, use_sim_time: true}}",
        "/**: {ros__parameters: {sync.max_dt_s: 0.1}}",
    ],
)
def test_plain_and_ros_files_say_the_same(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert load_config(path).sync.max_dt_s == 0.1


def test_overrides_are_stronger_than_the_file_and_text_is_parsed(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("refine: {iterations: 3, enabled: true}\n")
    config = load_config(path, {"refine.iterations": "5", "refine.enabled": "off", "grid.shape": "[10, 20, 4]"})
    assert (config.refine.iterations, config.refine.enabled, config.grid.shape) == (5, False, (10, 20, 4))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sync.max_dt", 0.1, "did you mean 'sync.max_dt_s'"),
        ("iterations", 3, "did you mean 'refine.iterations'"),
        ("zebra", 3, "known sections: explain, grid"),
        ("refine.iterations", "many", "config refine.iterations: expected a whole number, got 'many'"),
        ("refine.iterations", 2.5, "expected a whole number, got 2.5"),
        ("refine.iterations", True, "expected a whole number, got True"),
        ("refine.damping", float("nan"), "expected a number, got nan"),
        ("refine.enabled", 1, "expected true or false, got 1"),
        ("network.engine", 5, "expected text, got 5"),
        ("network.score_threshold", 1.5, "config network.score_threshold: expected 0 to 1, got 1.5"),
        ("sync.max_dt_s", -1, "expected 0 to 1 s, got -1"),
        ("grid.shape", [100, 100], "expected a list of 3 whole numbers, got [100, 100]"),
        ("network.runtime", "cafe", "expected one of auto, onnxruntime, tensorrt, got 'cafe'"),
    ],
)
def test_bad_values_name_the_option_and_what_was_expected(name, value, message):
    with pytest.raises(AirsideError) as caught:
        load_config(None, {name: value})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("refine: {iteratoins: 3}", "did you mean 'refine.iterations'"),
        ("refine: 3", "config refine: expected a section"),
        ("[1, 2]", "expected sections"),
        ("a: b: c", "not YAML"),
    ],
)
def test_bad_files_end_in_one_line(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(AirsideError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(AirsideError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_configuration_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config().refine.iterations = 3  # type: ignore[misc]
