"""Fields of JSON files: each check returns the value or raises AirsideError naming place and field.

`where` is the place of the owner in its file, such as "results.json: results[17][2]".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.errors import AirsideError


def kind_of(value: Any) -> str:
    """What a JSON value is, for messages."""
    return {dict: "an object", list: "a list", str: "text", type(None): "null"}.get(type(value), repr(value))


def member(owner: Mapping[str, Any], name: str, kinds: type | tuple[type, ...], where: str) -> Any:
    """Field `name` of `owner`, which must be of one of `kinds`."""
    if name not in owner:
        raise AirsideError(f"{where}: field '{name}' is missing (there are: {', '.join(map(str, owner)) or 'none'})")
    value = owner[name]
    if not isinstance(value, kinds):
        names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise AirsideError(f"{where}.{name}: expected {names}, got {kind_of(value)}")
    return value


def entries_of(value: Any, where: str) -> list[Any]:
    """`value`, which must be a list of objects."""
    if not isinstance(value, list):
        raise AirsideError(f"{where}: expected a list of objects, got {kind_of(value)}")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise AirsideError(f"{where}[{index}]: expected an object, got {kind_of(entry)}")
    return value


def check_stamp(stamp: Any, where: str) -> int:
    """A stamp that is a key: integer nanoseconds as text."""
    try:
        return int(stamp)
    except (TypeError, ValueError):
        raise AirsideError(f"{where}: expected stamps in integer nanoseconds as keys, got {stamp!r}") from None


def is_number(value: Any) -> bool:
    """True for finite JSON numbers (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(owner: Mapping[str, Any], name: str, where: str) -> float:
    """Field `name`, which must be a finite number."""
    value = member(owner, name, object, where)
    if not is_number(value):
        raise AirsideError(f"{where}.{name}: expected a finite number, got {kind_of(value)}")
    return float(value)


def numbers(owner: Mapping[str, Any], name: str, lengths: tuple[int, ...], where: str) -> list[float]:
    """Field `name`, which must be a list of finite numbers of one of the `lengths`."""
    value = member(owner, name, list, where)
    if len(value) not in lengths or not all(is_number(item) for item in value):
        wanted = " or ".join(map(str, lengths))
        raise AirsideError(f"{where}.{name}: expected {wanted} finite numbers, got {value!r}")
    return value


def check_rotation(owner: Mapping[str, Any], where: str) -> None:
    """Field `rotation` must be a quaternion of about unit length."""
    rotation = numbers(owner, "rotation", (4,), where)
    if not 0.5 < math.hypot(*rotation) < 2.0:
        raise AirsideError(f"{where}.rotation: expected a unit quaternion [w, x, y, z], got {rotation!r}")


def check_box(entry: Mapping[str, Any], where: str) -> None:
    """Fields `translation`, `size` and `rotation` must make a box."""
    numbers(entry, "translation", (3,), where)
    size = numbers(entry, "size", (3,), where)
    if min(size) <= 0.0:
        raise AirsideError(f"{where}.size: expected length, width, height above 0, got {size!r}")
    check_rotation(entry, where)


def check_class(entry: Mapping[str, Any], name: str, where: str) -> None:
    """Field `name` must be an object class."""
    value = member(entry, name, str, where)
    if value not in OBJECT_CLASSES:
        raise AirsideError(f"{where}.{name}: expected one of {', '.join(OBJECT_CLASSES)}, got {value!r}")
