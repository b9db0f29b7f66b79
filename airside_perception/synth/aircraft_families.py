"""Proportions of the aircraft families, in metres unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Engine:
    """One engine of each side.

    Attributes:
        mount: "wing" (under), "tail" (rear fuselage) or "prop" (propeller nacelle on the wing).
        along: share of the half span for wing mounts; share of the length for tail mounts.
        diameter, length: of the cowling.
    """

    mount: str
    along: float
    diameter: float
    length: float


@dataclass(frozen=True)
class AircraftFamily:
    """Shape parameters; every asset varies them by a few percent and draws from the tuples.

    Attributes:
        length, span, height: overall, as published.
        stretch: range of the fuselage length factor (shorter and longer siblings).
        width, body_height: fuselage section.
        nose, tail: cone lengths in body heights.
        wing_at: leading edge of the wing root, share of the length from the nose.
        root, tip: chords as shares of the half span and of the root chord.
        sweep, dihedral: leading edge sweep and dihedral, degrees.
        high_wing, t_tail: layout.
        winglets: kinds to draw from: none, blended, sharklet, fence, raked, split.
        engines: one entry a pair.
        clearance: gap between keel and ground.
        main_gear: (legs a side, wheels in a row on a leg's bogie); wheel: main wheel radius.
        fin_chord, fin_sweep: root chord in fin heights; degrees.
        decks: rows of cabin windows; window_pitch: their spacing.
        screen: cockpit glass (low, high) in body heights above the axis.
    """

    split: str
    length: float
    span: float
    height: float
    width: float
    body_height: float
    wing_at: float
    engines: tuple[Engine, ...]
    nose: float = 1.35
    tail: float = 2.9
    stretch: tuple[float, float] = (0.97, 1.03)
    root: float = 0.4
    tip: float = 0.22
    sweep: float = 27.0
    dihedral: float = 5.5
    high_wing: bool = False
    t_tail: bool = False
    winglets: tuple[str, ...] = ("blended", "none")
    clearance: float = 1.7
    main_gear: tuple[int, int] = (1, 1)
    wheel: float = 0.57
    fin_chord: float = 0.95
    fin_sweep: float = 38.0
    stabilizer: float = 0.36
    decks: int = 1
    window_pitch: float = 1.0
    screen: tuple[float, float] = (0.11, 0.3)
    nose_drop: float = 0.17
    nose_power: float = 0.6
    tail_rise: float = 0.28
    gear_fairing: bool = False


AIRCRAFT_FAMILIES: dict[str, AircraftFamily] = {
    "a320": AircraftFamily(
        "train", 37.6, 34.9, 11.8, 3.95, 4.14, 0.33, (Engine("wing", 0.33, 2.1, 4.4),), stretch=(0.84, 1.18),
        winglets=("fence", "sharklet", "sharklet"), nose=1.25, nose_drop=0.14,
    ),
    "b737": AircraftFamily(
        "train", 38.6, 34.6, 12.5, 3.76, 4.01, 0.33, (Engine("wing", 0.28, 2.0, 4.2),), stretch=(0.86, 1.08),
        winglets=("blended", "blended", "split", "none"), clearance=1.35, nose=1.3, nose_drop=0.2, nose_power=0.75,
        screen=(0.15, 0.31), fin_chord=1.05, dihedral=6.0,
    ),
    "a380": AircraftFamily(
        "train", 72.0, 79.0, 24.1, 7.14, 8.4, 0.29, (Engine("wing", 0.33, 3.3, 6.0), Engine("wing", 0.62, 3.3, 6.0)),
        nose=1.05, tail=2.5, root=0.44, tip=0.2, sweep=34.0, dihedral=5.5, winglets=("fence",), clearance=1.9,
        main_gear=(2, 3), wheel=0.7, decks=2, window_pitch=1.5, screen=(-0.06, 0.07), nose_drop=0.24, nose_power=0.85,
        fin_chord=0.85, tail_rise=0.25,
    ),
    "b777": AircraftFamily(
        "train", 72.5, 63.8, 18.5, 6.2, 6.2, 0.32, (Engine("wing", 0.3, 3.7, 6.8),), stretch=(0.86, 1.0),
        root=0.41, tip=0.18, sweep=33.0, dihedral=6.5, winglets=("raked", "none"), clearance=2.2, main_gear=(1, 3),
        wheel=0.67, window_pitch=1.5, nose=1.25, tail=2.7, screen=(0.13, 0.3), tail_rise=0.22,
    ),
    "b787": AircraftFamily(
        "train", 61.5, 60.1, 17.0, 5.77, 5.94, 0.32, (Engine("wing", 0.3, 3.2, 5.6),), stretch=(0.92, 1.09),
        root=0.36, tip=0.15, sweep=34.0, dihedral=8.5, winglets=("raked", "sharklet"), clearance=1.9, main_gear=(1, 2),
        wheel=0.67, window_pitch=1.4, nose=1.35, screen=(0.1, 0.25), nose_power=0.9, nose_drop=0.2,
    ),
    "atr72": AircraftFamily(
        "train", 27.2, 27.1, 7.7, 2.87, 2.7, 0.41, (Engine("prop", 0.3, 1.0, 4.2),), stretch=(0.83, 1.0),
        nose=1.45, tail=2.9, root=0.19, tip=0.6, sweep=1.5, dihedral=1.5, high_wing=True, t_tail=True,
        winglets=("none",), clearance=0.85, wheel=0.43, fin_chord=1.0, fin_sweep=32.0, stabilizer=0.27,
        gear_fairing=True, window_pitch=0.85, screen=(0.12, 0.33), nose_drop=0.2, tail_rise=0.32,
    ),
    "crj": AircraftFamily(
        "train", 26.8, 21.2, 6.4, 2.69, 2.69, 0.4, (Engine("tail", 0.74, 1.3, 3.2),), stretch=(0.98, 1.25),
        nose=1.6, tail=2.6, root=0.42, tip=0.25, sweep=26.0, dihedral=3.0, t_tail=True, winglets=("blended",),
        clearance=0.85, wheel=0.38, fin_chord=1.15, fin_sweep=41.0, stabilizer=0.3, window_pitch=0.85, tail_rise=0.22,
        screen=(0.1, 0.31),
    ),
    "bizjet": AircraftFamily(
        "train", 19.0, 18.6, 5.8, 2.1, 2.05, 0.4, (Engine("tail", 0.71, 1.15, 2.7),), stretch=(0.85, 1.2),
        nose=1.75, tail=2.7, root=0.38, tip=0.25, sweep=30.0, dihedral=3.5, t_tail=True,
        winglets=("blended", "sharklet", "none"), clearance=0.75, wheel=0.32, fin_chord=1.1, fin_sweep=42.0,
        stabilizer=0.36, window_pitch=1.05, tail_rise=0.2, screen=(0.1, 0.34),
    ),
    "dash8": AircraftFamily(
        "train", 32.8, 28.4, 8.3, 2.69, 2.75, 0.42, (Engine("prop", 0.31, 1.2, 5.6),), stretch=(0.68, 1.0),
        nose=1.5, tail=3.3, root=0.2, tip=0.5, sweep=4.0, dihedral=2.5, high_wing=True, t_tail=True, winglets=("none",),
        clearance=0.95, wheel=0.43, fin_chord=1.3, fin_sweep=30.0, stabilizer=0.32, window_pitch=0.85,
    ),
    "md80": AircraftFamily(
        "val", 43.5, 32.9, 9.1, 3.34, 3.6, 0.42, (Engine("tail", 0.77, 1.6, 5.4),), stretch=(0.82, 1.04),
        nose=1.4, tail=2.3, root=0.4, tip=0.2, sweep=27.0, dihedral=3.0, t_tail=True, winglets=("none",), clearance=1.0,
        wheel=0.5, fin_chord=1.25, fin_sweep=42.0, stabilizer=0.37, tail_rise=0.18, screen=(0.13, 0.3),
    ),
    "a330": AircraftFamily(
        "val", 61.0, 60.3, 17.2, 5.64, 5.64, 0.32, (Engine("wing", 0.31, 2.9, 6.2),), stretch=(0.93, 1.06),
        root=0.38, tip=0.2, sweep=32.0, dihedral=6.0, winglets=("sharklet",), clearance=1.9, main_gear=(1, 2),
        wheel=0.68, window_pitch=1.4, nose=1.2, screen=(0.1, 0.26),
    ),
    "bae146": AircraftFamily(
        "test", 28.6, 26.3, 8.6, 3.56, 3.5, 0.35, (Engine("wing", 0.36, 1.5, 2.9), Engine("wing", 0.64, 1.5, 2.9)),
        stretch=(0.92, 1.08), nose=1.2, tail=2.5, root=0.33, tip=0.35, sweep=17.0, dihedral=-2.5, high_wing=True,
        t_tail=True, winglets=("none",), clearance=0.8, wheel=0.46, fin_chord=1.05, fin_sweep=36.0, stabilizer=0.4,
        gear_fairing=True,
    ),
    "e190": AircraftFamily(
        "test", 36.2, 28.7, 10.6, 3.01, 3.35, 0.34, (Engine("wing", 0.31, 1.85, 3.7),), stretch=(0.83, 1.07),
        nose=1.55, winglets=("blended",), clearance=1.5, wheel=0.5, sweep=27.0, screen=(0.08, 0.27),
    ),
}  # fmt: skip
