"""Typed options: trees of frozen dataclasses whose fields carry documentation, unit and range.

A dotted name ("sync.max_dt_s") means the same thing in a YAML file, on the command line and as a
ROS parameter. Which options exist is said in config.py; this file only knows how to read, check
and write any such tree.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import yaml

from airside_perception.errors import AirsideError

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class OptionInfo:
    """What is known of an option beside its type and default.

    Attributes:
        doc: one sentence.
        unit: "m", "s", "px", ...; empty where there is none.
        range: (lowest, highest) allowed value, both included, also for each element of a list; None: any.
        choices: allowed values; empty: any.
        reconfigurable: may change while the node runs.
        is_path: names a file or folder.
    """

    doc: str
    unit: str = ""
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    reconfigurable: bool = False
    is_path: bool = False


class OptionField(NamedTuple):
    """One option of a tree: dotted name, value, declared type, and what is known of it."""

    name: str
    value: Any
    type: Any
    info: OptionInfo


def option(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    reconfigurable: bool = False,
    is_path: bool = False,
) -> Any:
    """Declare a field of an option section; see OptionInfo. `reconfigurable` options may change at run time."""
    info = OptionInfo(doc, unit, range, choices, reconfigurable, is_path)
    return dataclasses.field(default=default, metadata={"option": info})


def tunable(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field that may change at run time; see `option`."""
    return option(default, doc, unit=unit, range=range, choices=choices, reconfigurable=True)


def section(section_type: type, doc: str, **defaults: Any) -> Any:
    """Declare a nested section, optionally with other defaults than the section's own."""
    return dataclasses.field(default_factory=lambda: section_type(**defaults), metadata={"section": doc})


def iter_fields(tree: Any, prefix: str = "") -> Iterator[OptionField]:
    """All options of a tree in the order of declaration, depth first."""
    types = typing.get_type_hints(type(tree))
    for field in dataclasses.fields(tree):
        name, value = prefix + field.name, getattr(tree, field.name)
        if dataclasses.is_dataclass(value):
            yield from iter_fields(value, name + ".")
        else:
            yield OptionField(name, value, types[field.name], field.metadata["option"])


def apply_values(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """A copy of `tree` with some options replaced and checked.

    Args:
        tree: option tree.
        values: dotted name -> value; strings are parsed where the option is not a string.

    Raises:
        AirsideError: unknown name (with the nearest known one), wrong type, out of range.
    """
    known = {field.name: field for field in iter_fields(tree)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise AirsideError(_unknown(name, list(known)))
        checked[name] = check_value(known[name], value)
    return _replace(tree, checked, "")


def flatten(mapping: Mapping[Any, Any], tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mapping (as read from YAML) -> dotted names; keys may themselves be dotted.

    Raises:
        AirsideError: a section where a value was expected or the other way round; unknown section.
    """
    values: dict[str, Any] = {}
    names = [field.name for field in iter_fields(tree)]
    sections = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if name in sections:
            if value is None:
                continue
            if not isinstance(value, Mapping):
                raise AirsideError(f"config {name}: expected a section with options inside, got {value!r}")
            values.update(flatten(value, tree, name + "."))
        elif name in names:
            values[name] = value
        else:
            raise AirsideError(_unknown(name, [*names, *sections]))
    return values


def check_value(field: OptionField, value: Any) -> Any:
    """`value` as the option's own type, within its range and choices.

    Raises:
        AirsideError: with the dotted name, what was expected and what came.
    """
    try:
        result = _convert(field.type, value)
    except (TypeError, ValueError):
        raise AirsideError(f"config {field.name}: expected {describe_type(field.type)}, got {value!r}") from None
    elements = result if isinstance(result, tuple) else (result,)
    info = field.info
    if info.choices and any(element not in info.choices for element in elements):
        raise AirsideError(f"config {field.name}: expected one of {', '.join(info.choices)}, got {value!r}")
    if info.range is not None:
        low, high = info.range
        if not all(low <= element <= high for element in elements):
            unit = f" {info.unit}" if info.unit else ""
            raise AirsideError(f"config {field.name}: expected {low:g} to {high:g}{unit}, got {value!r}")
    return result


def describe_type(declared: Any) -> str:
    """Plain words for an option's type ("a list of 3 numbers")."""
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if typing.get_origin(declared) is not tuple:
        return words[declared]
    arguments = typing.get_args(declared)
    plural = {bool: "truth values", int: "whole numbers", float: "numbers", str: "texts"}[arguments[0]]
    return f"a list of {plural}" if arguments[-1] is Ellipsis else f"a list of {len(arguments)} {plural}"


def dump_yaml(tree: Any, indent: int = 0) -> str:
    """The tree as YAML; a comment above each option gives its meaning, unit, range and choices."""
    lines: list[str] = []
    pad = " " * indent
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if dataclasses.is_dataclass(value):
            lines += ["", f"{pad}# {field.metadata['section']}", f"{pad}{field.name}:", dump_yaml(value, indent + 2)]
        else:
            lines += [f"{pad}# {_comment(field.metadata['option'])}", f"{pad}{field.name}: {_scalar_yaml(value)}"]
    return "\n".join(lines).lstrip("\n")


def _unknown(name: str, known: list[str]) -> str:
    """Error line for an unknown name; a bare last word is compared with last words, too."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if "." not in name:
        leaf = {candidate.rsplit(".", 1)[-1]: candidate for candidate in known}
        near = [leaf[match] for match in difflib.get_close_matches(name, leaf, n=1, cutoff=0.7)] or near
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"known sections: {', '.join(sorted({k.split('.')[0] for k in known}))}"
    )
    return f"config: unknown option {name!r}; {hint}"


def _replace(tree: Tree, values: Mapping[str, Any], prefix: str) -> Tree:
    """Copy of a frozen tree with the checked values put in."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(tree):  # type: ignore[arg-type]
        name, value = prefix + field.name, getattr(tree, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = _replace(value, values, name + ".")
        elif name in values:
            changes[field.name] = values[name]
    return dataclasses.replace(tree, **changes)  # type: ignore[type-var]


def _convert(declared: Any, value: Any) -> Any:
    """`value` as `declared`; TypeError or ValueError where it does not fit."""
    if typing.get_origin(declared) is tuple:
        return _convert_list(typing.get_args(declared), value)
    if declared is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    if isinstance(value, str):
        value = _parse_word(value, declared)
    if declared is bool:
        if not isinstance(value, bool):
            raise TypeError
        return value
    # bool is an int to Python but never a meant number here.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError
    if declared is int and value != int(value):
        raise ValueError
    return declared(value)


def _convert_list(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """A list, or comma-separated text, as a tuple of the declared element type and length."""
    if isinstance(value, str):
        words = value.strip().removeprefix("[").removesuffix("]").split(",")
        value = [word.strip().strip("'\"") for word in words if word.strip()]
    if not isinstance(value, (list, tuple)):
        raise TypeError
    items = [item for item in value if item != ""]
    if arguments[-1] is not Ellipsis and len(items) != len(arguments):
        raise ValueError
    return tuple(_convert(arguments[0], item) for item in items)


def _parse_word(text: str, declared: type) -> Any:
    """Command-line text as a number or truth value."""
    if declared is bool:
        truths = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        return truths.get(text.strip().lower(), text)
    return float(text)


def _comment(info: OptionInfo) -> str:
    notes = []
    if info.unit:
        notes.append(f"unit: {info.unit}")
    if info.range is not None:
        notes.append(f"{info.range[0]:g} to {info.range[1]:g}")
    if info.choices:
        notes.append("one of: " + ", ".join(info.choices))
    if info.reconfigurable:
        notes.append("may change while running")
    return info.doc + (f" [{'; '.join(notes)}]" if notes else "")


def _scalar_yaml(value: Any) -> str:
    """Flow-style YAML of one value; an empty list becomes [""], since a ROS parameter file cannot type an empty one."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_scalar_yaml(item) for item in value or ("",)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 reads 1e-05 as text: it wants a point in the mantissa.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return str(yaml.safe_dump(value, default_flow_style=True)).split("\n")[0]
