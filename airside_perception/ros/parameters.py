"""The config's options as ROS parameters: same dotted names, with descriptors."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from airside_perception.config import Config, OptionField, iter_fields
from airside_perception.errors import AirsideError
from airside_perception.options import apply_values
from airside_perception.ros.path_confinement import PathConfinement

_SET_AT_START = ("ros.file_roots", "ros.autostart", "ros.diagnostics_period_s")
"""Options that have done their work when the node exists."""

_SCALAR_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}
_ARRAY_TYPES = {
    bool: Parameter.Type.BOOL_ARRAY,
    int: Parameter.Type.INTEGER_ARRAY,
    float: Parameter.Type.DOUBLE_ARRAY,
    str: Parameter.Type.STRING_ARRAY,
}


def parameter_type(declared: Any) -> Parameter.Type:
    """ROS type of an option's declared Python type."""
    if typing.get_origin(declared) is tuple:
        return _ARRAY_TYPES[typing.get_args(declared)[0]]
    return _SCALAR_TYPES[declared]


def descriptor(field: OptionField) -> ParameterDescriptor:
    """What `ros2 param describe` shows of an option: meaning, unit, choices, range.

    Hardly any is marked read_only: most may change until the node is configured.
    `ParameterBridge` refuses later changes of options that are not reconfigurable.
    """
    info = field.info
    notes = [f"unit: {info.unit}"] if info.unit else []
    if field.name in _SET_AT_START:
        notes.append("set at the start alone")
    else:
        notes.append("may change while running" if info.reconfigurable else "fixed while configured")
    if info.choices:
        notes.append("one of: " + ", ".join(info.choices))
    result = ParameterDescriptor(
        name=field.name,
        type=parameter_type(field.type).value,
        description=info.doc,
        additional_constraints="; ".join(notes),
        read_only=field.name in _SET_AT_START,
    )
    # Ranges exist for scalars alone; lists are checked by the config itself.
    if info.range is not None and field.type is int:
        result.integer_range = [IntegerRange(from_value=int(info.range[0]), to_value=int(info.range[1]), step=0)]
    elif info.range is not None and field.type is float:
        low, high = float(info.range[0]), float(info.range[1])
        result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    return result


def parameter_value(field: OptionField) -> Any:
    """An option's value as rclpy wants it; an empty list of texts becomes [''] since ROS cannot type an empty one."""
    if isinstance(field.value, tuple):
        return list(field.value) or [""]
    return field.value


class ParameterBridge:
    """Declares every option on a node and keeps a checked `Config` of the current values.

    Args:
        node: the node that owns the parameters.
        config: defaults, below what parameter files and the command line say.

    Raises:
        AirsideError: a value from outside is of the wrong type or out of range, or of an option that does not exist.

    Values given at the start (files, command line) come from who runs the node and are trusted.
    Later ones may come from anybody on the network: paths among them are confined, see `PathConfinement`.
    """

    def __init__(self, node: Node, config: Config):
        self._node = node
        self._fields = {field.name: field for field in iter_fields(config)}
        self._path_options = [name for name, field in self._fields.items() if field.info.is_path]
        self._base = config
        self._frozen = False
        self._refuse_unknown()
        for field in self._fields.values():
            _declare(node, field)
        self.config = self._read()
        self._confinement = PathConfinement(self.config.ros.file_roots, self._values_of(self._path_options).values())
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._applied)
        self._listeners: list[Any] = []

    def freeze(self, frozen: bool) -> None:
        """From now on refuse (True) or accept (False) changes of options that are not reconfigurable."""
        self._frozen = frozen

    def on_change(self, listener: Any) -> None:
        """Call `listener(config)` after accepted changes."""
        self._listeners.append(listener)

    def _refuse_unknown(self) -> None:
        """ROS ignores parameters that nobody declares: a misspelt threshold would silently keep its default."""
        sections = {name.split(".")[0] for name in self._fields}
        # rclpy has no public access to overrides of undeclared parameters.
        for name in self._node._parameter_overrides:
            if name not in self._fields and name.split(".")[0] in sections:
                apply_values(self._base, {name: None})

    def _read(self) -> Config:
        return apply_values(self._base, self._values_of(self._fields))

    def _values_of(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: _plain(self._node.get_parameter(name).value) for name in names}

    def _check(self, parameters: Iterable[Parameter]) -> SetParametersResult:
        """Refuse what the config would refuse, with its own one-line reason."""
        values = {p.name: _plain(p.value) for p in parameters if p.name in self._fields}
        fixed = [name for name in values if self._frozen and not self._fields[name].info.reconfigurable]
        if fixed:
            reason = f"{fixed[0]} is fixed while the node is configured; clean up, set it, configure again"
            return SetParametersResult(successful=False, reason=reason)
        try:
            apply_values(self.config, values)
            for name in set(self._path_options) & set(values):
                self._confinement.check(name, values[name])
        except AirsideError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _applied(self, parameters: Iterable[Parameter]) -> None:
        values = {p.name: _plain(p.value) for p in parameters if p.name in self._fields}
        if not values:
            return
        self.config = apply_values(self.config, values)
        for listener in self._listeners:
            listener(self.config)


def _declare(node: Node, field: OptionField) -> None:
    try:
        node.declare_parameter(field.name, parameter_value(field), descriptor(field))
    except Exception as error:  # rclpy has one exception class per way to be wrong, some private
        raise AirsideError(f"parameter {field.name}: {' '.join(str(error).split())}") from error


def _plain(value: Any) -> Any:
    """Parameter arrays come as array.array or list; the config takes lists."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else list(value)
