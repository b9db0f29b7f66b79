"""Options as ROS parameters on a real node."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from rclpy.parameter import Parameter

from airside_perception.config import Config, iter_fields
from airside_perception.errors import AirsideError
from airside_perception.ros.parameters import ParameterBridge

pytestmark = pytest.mark.ros


@pytest.fixture
def node(middleware):
    node = middleware.create_node("parameters_under_test")
    yield node
    node.destroy_node()


def test_every_option_is_a_parameter_of_the_same_name_and_default(node):
    bridge = ParameterBridge(node, Config())
    for field in iter_fields(Config()):
        assert node.has_parameter(field.name), field.name
    assert bridge.config == Config()


def test_descriptors_carry_meaning_unit_and_range(node):
    ParameterBridge(node, Config())
    described = node.describe_parameter("sync.max_dt_s")
    assert "anchor stamp" in described.description
    assert "unit: s" in described.additional_constraints
    assert (described.floating_point_range[0].from_value, described.floating_point_range[0].to_value) == (0.0, 1.0)
    assert node.describe_parameter("refine.iterations").integer_range[0].to_value == 50
    assert "one of: best_effort, reliable" in node.describe_parameter("ros.reliability").additional_constraints


def test_reconfigurable_options_change_live(node):
    bridge = ParameterBridge(node, Config())
    heard = []
    bridge.on_change(heard.append)
    bridge.freeze(True)
    results = node.set_parameters([Parameter("refine.iterations", value=3)])
    assert results[0].successful
    assert bridge.config.refine.iterations == 3
    assert heard[-1].refine.iterations == 3


def test_fixed_options_are_refused_while_configured_and_accepted_before(node):
    bridge = ParameterBridge(node, Config())
    assert node.set_parameters([Parameter("rig.cameras", value=["front"])])[0].successful
    assert bridge.config.rig.cameras == ("front",)
    bridge.freeze(True)
    result = node.set_parameters([Parameter("rig.cameras", value=["rear"])])[0]
    assert not result.successful
    assert "rig.cameras is fixed while the node is configured" in result.reason
    assert bridge.config.rig.cameras == ("front",)


def test_values_out_of_range_are_refused_with_the_reason(node):
    bridge = ParameterBridge(node, Config())
    result = node.set_parameters([Parameter("network.score_threshold", value=1.5)])[0]
    assert not result.successful
    assert "network.score_threshold" in result.reason
    result = node.set_parameters([Parameter("ros.reliability", value="maybe")])[0]
    assert not result.successful
    assert "best_effort" in result.reason
    assert bridge.config == Config()


def test_lists_of_numbers_are_checked_by_the_config(node):
    bridge = ParameterBridge(node, Config())
    assert not node.set_parameters([Parameter("grid.origin", value=[1.0, 2.0])])[0].successful
    assert node.set_parameters([Parameter("grid.origin", value=[1.0, 2.0, 3.0])])[0].successful
    assert bridge.config.grid.origin == (1.0, 2.0, 3.0)


def test_overrides_from_outside_win_and_are_checked(middleware):
    node = middleware.create_node(
        "overridden",
        parameter_overrides=[Parameter("refine.iterations", value=2), Parameter("rig.cameras", value=["rear"])],
    )
    assert ParameterBridge(node, Config()).config.refine.iterations == 2
    node.destroy_node()
    wrong = middleware.create_node("wrong", parameter_overrides=[Parameter("refine.iterations", value=999)])
    with pytest.raises(AirsideError, match=r"refine\.iterations"):
        ParameterBridge(wrong, Config())
    wrong.destroy_node()


def test_misspelt_options_are_refused_with_the_nearest_name(middleware):
    node = middleware.create_node("misspelt", parameter_overrides=[Parameter("refine.iteration", value=2)])
    with pytest.raises(AirsideError, match=r"did you mean 'refine\.iterations'"):
        ParameterBridge(node, Config())
    node.destroy_node()


def test_parameters_of_other_nodes_in_a_shared_file_are_left_alone(middleware):
    node = middleware.create_node("shared", parameter_overrides=[Parameter("lidar.rate", value=2)])
    assert ParameterBridge(node, Config()).config == Config()
    node.destroy_node()
