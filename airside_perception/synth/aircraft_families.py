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
        freighter: no cabin windows, a cargo door on the main deck.
        center_engine: third engine in the fin of a trijet.
        hump, hump_end: short upper deck, see `Fuselage`.
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
    freighter: bool = False
    center_engine: Engine | None = None
    hump: float = 0.0
    hump_end: float = 0.35


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
    "b757": AircraftFamily(
        "train", 47.3, 37.6, 13.6, 3.76, 4.1, 0.34, (Engine("wing", 0.34, 2.6, 5.0),), stretch=(0.98, 1.16), nose=1.3,
        tail=3.1, sweep=28.0, winglets=("blended", "none"), clearance=2.1, main_gear=(1, 2), wheel=0.5, nose_drop=0.22,
        nose_power=0.7, screen=(0.14, 0.3),
    ),
    "b767": AircraftFamily(
        "train", 54.9, 47.0, 15.9, 5.03, 5.41, 0.33, (Engine("wing", 0.33, 2.9, 5.6),), stretch=(0.88, 1.1),
        root=0.4, tip=0.21, sweep=33.0, dihedral=6.0, winglets=("blended", "none", "raked"), clearance=1.9,
        main_gear=(1, 2), wheel=0.6, window_pitch=1.2, nose=1.15, tail=2.7, screen=(0.12, 0.29),
    ),
    "a350": AircraftFamily(
        "train", 66.0, 63.6, 17.0, 5.96, 6.09, 0.32, (Engine("wing", 0.31, 3.4, 6.2),), stretch=(0.96, 1.1),
        root=0.36, tip=0.16, sweep=33.5, dihedral=7.0, winglets=("sharklet", "sharklet", "raked"), clearance=2.0,
        main_gear=(1, 3), wheel=0.67, window_pitch=1.4, nose=1.15, nose_drop=0.2, nose_power=0.7, tail=2.8,
        screen=(0.06, 0.26),
    ),
    "b747": AircraftFamily(
        "train", 69.5, 63.2, 19.3, 6.5, 6.6, 0.3, (Engine("wing", 0.36, 2.7, 5.4), Engine("wing", 0.64, 2.7, 5.4)),
        stretch=(0.94, 1.06), root=0.45, tip=0.2, sweep=39.0, dihedral=6.0, winglets=("blended", "none", "raked"),
        clearance=2.2, main_gear=(2, 2), wheel=0.62, window_pitch=1.4, nose=1.5, tail=2.5, nose_drop=0.12,
        screen=(0.45, 0.58), hump=0.26, hump_end=0.36, fin_chord=0.9,
    ),
    "a340": AircraftFamily(
        "train", 62.5, 59.8, 16.9, 5.64, 5.64, 0.31, (Engine("wing", 0.31, 2.3, 5.0), Engine("wing", 0.64, 2.3, 5.0)),
        stretch=(0.95, 1.2), root=0.38, tip=0.2, sweep=32.0, dihedral=6.0, winglets=("sharklet",), clearance=1.9,
        main_gear=(1, 2), wheel=0.68, window_pitch=1.4, nose=1.2, screen=(0.1, 0.26),
    ),
    "an124": AircraftFamily(
        "train", 68.5, 73.0, 20.8, 7.28, 7.6, 0.33, (Engine("wing", 0.3, 2.9, 5.8), Engine("wing", 0.55, 2.9, 5.8)),
        nose=1.25, tail=2.7, root=0.36, tip=0.28, sweep=31.0, dihedral=-3.0, high_wing=True, winglets=("none",),
        clearance=1.0, main_gear=(1, 5), wheel=0.62, fin_chord=0.85, fin_sweep=40.0, stabilizer=0.4, gear_fairing=True,
        freighter=True, screen=(0.24, 0.36), nose_drop=0.2, tail_rise=0.3,
    ),
    "c130": AircraftFamily(
        "train", 29.8, 40.2, 11.6, 4.2, 4.1, 0.36, (Engine("prop", 0.26, 1.15, 4.4), Engine("prop", 0.49, 1.15, 4.4)),
        stretch=(0.98, 1.16), nose=0.95, tail=2.7, root=0.21, tip=0.5, sweep=2.5, dihedral=1.5, high_wing=True,
        winglets=("none",), clearance=0.85, main_gear=(1, 2), wheel=0.55, fin_chord=0.95, fin_sweep=24.0,
        stabilizer=0.4, gear_fairing=True, freighter=True, screen=(0.1, 0.36), nose_drop=0.2, nose_power=0.5,
        tail_rise=0.34,
    ),
    "md11": AircraftFamily(
        "train", 60.5, 51.0, 17.6, 6.02, 6.02, 0.36, (Engine("wing", 0.32, 2.9, 5.6),), stretch=(0.88, 1.02),
        root=0.4, tip=0.2, sweep=35.0, dihedral=6.0, winglets=("fence", "blended"), clearance=2.0, main_gear=(1, 2),
        wheel=0.66, window_pitch=1.2, nose=1.2, tail=2.3, screen=(0.12, 0.29), fin_chord=0.85, fin_sweep=38.0,
        center_engine=Engine("fin", 0.0, 2.9, 8.6),
    ),
    "f100": AircraftFamily(
        "train", 35.0, 28.0, 8.5, 3.3, 3.3, 0.4, (Engine("tail", 0.73, 1.7, 4.4),), stretch=(0.8, 1.08), nose=1.35,
        tail=2.8, root=0.36, tip=0.25, sweep=19.0, dihedral=2.5, t_tail=True, winglets=("none",), clearance=0.95,
        wheel=0.45, fin_chord=1.15, fin_sweep=40.0, stabilizer=0.36, tail_rise=0.22, screen=(0.1, 0.29),
    ),
    "saab340": AircraftFamily(
        "train", 20.5, 21.5, 7.0, 2.31, 2.31, 0.38, (Engine("prop", 0.32, 0.95, 4.0),), stretch=(0.95, 1.3), nose=1.7,
        tail=3.0, root=0.24, tip=0.4, sweep=4.0, dihedral=7.0, winglets=("none",), clearance=1.05, wheel=0.34,
        fin_chord=1.0, fin_sweep=34.0, stabilizer=0.42, window_pitch=0.8, screen=(0.12, 0.34), tail_rise=0.3,
    ),
    "light_jet": AircraftFamily(
        "train", 15.8, 16.9, 5.1, 1.73, 1.75, 0.4, (Engine("tail", 0.69, 0.95, 2.2),), stretch=(0.92, 1.1), nose=2.0,
        tail=2.9, root=0.32, tip=0.32, sweep=14.0, dihedral=4.0, t_tail=True, winglets=("none", "blended"),
        clearance=0.68, wheel=0.28, fin_chord=1.05, fin_sweep=42.0, stabilizer=0.36, window_pitch=0.9, tail_rise=0.22,
        screen=(0.12, 0.38),
    ),
    "large_bizjet": AircraftFamily(
        "train", 30.2, 29.4, 7.8, 2.67, 2.67, 0.39, (Engine("tail", 0.72, 1.6, 4.4),), stretch=(0.9, 1.1), nose=1.8,
        tail=2.9, root=0.36, tip=0.22, sweep=36.0, dihedral=3.0, t_tail=True, winglets=("blended", "sharklet"),
        clearance=0.95, wheel=0.42, fin_chord=1.05, fin_sweep=40.0, stabilizer=0.36, window_pitch=1.5, tail_rise=0.2,
        screen=(0.1, 0.3),
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
    "e145": AircraftFamily(
        "val", 29.4, 20.6, 6.8, 2.28, 2.28, 0.42, (Engine("tail", 0.76, 1.35, 3.6),), stretch=(0.9, 1.02), nose=1.9,
        tail=3.0, root=0.4, tip=0.25, sweep=23.0, dihedral=3.5, t_tail=True, winglets=("none", "blended"),
        clearance=0.75, wheel=0.36, fin_chord=1.2, fin_sweep=38.0, stabilizer=0.36, window_pitch=0.8, tail_rise=0.2,
        screen=(0.12, 0.34),
    ),
    "c17": AircraftFamily(
        "val", 52.0, 51.5, 16.8, 6.2, 6.4, 0.33, (Engine("wing", 0.3, 2.5, 4.8), Engine("wing", 0.54, 2.5, 4.8)),
        nose=1.15, tail=2.6, root=0.4, tip=0.3, sweep=28.0, dihedral=-3.0, high_wing=True, t_tail=True,
        winglets=("blended",), clearance=0.95, main_gear=(1, 3), wheel=0.6, fin_chord=0.95, fin_sweep=42.0,
        stabilizer=0.38, gear_fairing=True, freighter=True, screen=(0.14, 0.34), tail_rise=0.3,
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
    "a310": AircraftFamily(
        "test", 46.0, 43.5, 15.8, 5.64, 5.64, 0.33, (Engine("wing", 0.33, 2.8, 5.4),), stretch=(0.98, 1.14), root=0.43,
        tip=0.2, sweep=30.0, dihedral=6.5, winglets=("fence",), clearance=1.9, main_gear=(1, 2), wheel=0.6,
        window_pitch=1.2, nose=1.15, tail=2.6, screen=(0.11, 0.27),
    ),
    "kingair": AircraftFamily(
        "test", 14.2, 17.4, 4.6, 1.55, 1.6, 0.34, (Engine("prop", 0.3, 0.75, 3.2),), stretch=(0.96, 1.06), nose=2.0,
        tail=2.9, root=0.26, tip=0.4, sweep=5.0, dihedral=6.0, t_tail=True, winglets=("none", "blended"), clearance=0.8,
        wheel=0.28, fin_chord=1.2, fin_sweep=40.0, stabilizer=0.32, window_pitch=0.85, screen=(0.14, 0.42),
        tail_rise=0.3,
    ),
}  # fmt: skip
