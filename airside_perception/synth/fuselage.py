"""Fuselage skin as a smooth surface, so that windows, doors and glass can follow it exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.fitted_parts import shell
from airside_perception.synth.mesh_parts import GLASS, PAINT, FloatArray, Mesh, loft, merge, pyramids


@dataclass(frozen=True)
class Fuselage:
    """Nose cone, constant section and upswept tail cone.

    Stations run from 0 at the nose to `length` at the tail; x forward is `-station`. Heights are
    above the axis of the constant section.

    Attributes:
        length, width, height: metres; width and height of the constant section.
        nose, tail: length of the nose and tail cones.
        nose_drop: how far the nose tip lies below the axis, in heights.
        nose_power: bluntness of the upper nose line, higher is fuller.
        tail_rise: height of the tail tip above the axis, in heights.
        tail_tip: radius of the tail tip relative to the section.
        wide_low: how far the widest point lies below the axis, in heights (double-bubble sections).
        hump: how far a short upper deck rises above the section, in heights.
        hump_end: station where it has come down again, as a share of the length.
    """

    length: float
    width: float
    height: float
    nose: float
    tail: float
    nose_drop: float = 0.15
    nose_power: float = 0.6
    tail_rise: float = 0.3
    tail_tip: float = 0.12
    wide_low: float = 0.0
    hump: float = 0.0
    hump_end: float = 0.35

    def outline(self, station: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Top height, bottom height and half width at stations, each the shape of `station`."""
        station = np.asarray(station, dtype=np.float64)
        near = np.clip(station / self.nose, 0.0, 1.0)
        far = np.clip((station - self.length + self.tail) / self.tail, 0.0, 1.0)
        full = 1.0 - (1.0 - near) ** 2
        tip = -self.nose_drop * self.height
        half = self.height / 2
        blunt = 0.02 * self.height
        # The upper line breaks at the windscreen: a full radome, then a flatter rise to the roof.
        top = tip + blunt + (half - tip - blunt) * (0.5 * full**self.nose_power + 0.5 * full**1.5)
        if self.hump:
            rise = np.clip(station / (0.85 * self.nose), 0.0, 1.0)
            fall = np.clip((self.hump_end * self.length - station) / (0.12 * self.length), 0.0, 1.0)
            top = top + self.hump * self.height * rise * rise * (3 - 2 * rise) * fall * fall * (3 - 2 * fall)
        bottom = tip - blunt - (half + tip - blunt) * full**0.55
        across = 0.02 * self.width + 0.48 * self.width * full**0.56
        end = self.tail_rise * self.height
        radius = self.tail_tip * half
        top = top + (end + radius - half) * far**1.8
        bottom = bottom + (end - radius + half) * far**1.35
        across = across * (1.0 - (1.0 - self.tail_tip) * far**1.7)
        return top, bottom, across

    def points(self, station: FloatArray, angle: FloatArray, outset: float = 0.0) -> FloatArray:
        """Points on the skin: angle 0 is the top, pi/2 left, pi the keel. Shape (..., 3)."""
        station, angle = np.broadcast_arrays(np.asarray(station, dtype=np.float64), np.asarray(angle, dtype=np.float64))
        top, bottom, across = self.outline(station)
        middle, half = (top + bottom) / 2, (top - bottom) / 2
        y = (across + outset) * np.sin(angle)
        z = middle + (half + outset) * np.cos(angle)
        if self.wide_low:
            y = y * (1.0 - 0.25 * self.wide_low * np.cos(angle))
        return np.stack([-station, y, z], axis=-1)

    def angle_at(self, station: FloatArray, height: FloatArray) -> FloatArray:
        """Angle (0..pi, left side) of the skin point at a height above the axis."""
        top, bottom, _ = self.outline(station)
        return np.arccos(np.clip((height - (top + bottom) / 2) / ((top - bottom) / 2), -1.0, 1.0))

    def station_at(self, height: FloatArray) -> FloatArray:
        """Stations where the upper nose line reaches heights, the shape of `height`."""
        stations = np.linspace(0.0, self.nose, 200)
        return np.interp(height, self.outline(stations)[0], stations)

    def skin(
        self,
        paint: Callable[[FloatArray, FloatArray], FloatArray],
        marks: tuple[float, ...],
        shear: float,
        around: int = 24,
    ) -> Mesh:
        """The closed skin.

        Args:
            paint: (station, angle) of face centres, angle in -pi..pi, to (..., 3) colours.
            marks: stations of colour boundaries at mid height.
            shear: slope of the cross-sections of the constant part, so that boundaries lean.
            around: points of a cross-section.
        """
        body_end = self.length - self.tail
        nose = self.nose * np.array([0.0, 0.03, 0.09, 0.18, 0.3, 0.43, 0.57, 0.72, 0.86, 1.0])
        body = np.linspace(self.nose, body_end, 9)[1:]
        tail = body_end + self.tail * np.linspace(0, 1, 9)[1:]
        stations = np.unique(np.concatenate([nose, body, tail, np.asarray(marks, dtype=np.float64)]))
        stations = stations[(stations >= 0) & (stations <= self.length)]
        stations = stations[np.concatenate([[True], np.diff(stations) > 0.04])]
        angle = -np.pi + np.arange(around) * (2 * np.pi / around)
        lean = np.clip(
            np.minimum(stations - self.nose, self.length - 0.2 * self.tail - stations) / self.height, 0.0, 1.0
        )
        grid = stations[:, None] + shear * lean[:, None] * self.height / 2 * np.cos(angle)[None]
        rings = self.points(grid, angle[None])
        middle = (stations[1:] + stations[:-1]) / 2
        face_angle = angle + np.pi / around
        colors = paint(*np.broadcast_arrays(middle[:, None], face_angle[None]))
        return loft(rings, colors, PAINT)

    def patches(
        self,
        stations: FloatArray,
        angles: FloatArray,
        color: ArrayLike,
        material: int = PAINT,
        outset: float = 0.02,
        rows: int = 1,
        sides: tuple[int, ...] = (1, -1),
    ) -> Mesh:
        """Plates on the skin, on both sides unless `sides` names one (1 left, -1 right).

        stations, angles: (N, 2) low and high of each plate, on the left side. A tall plate needs
        several `rows`, or its middle would sink into the round skin.
        """
        stations, angles = np.asarray(stations), np.asarray(angles)
        share = np.linspace(0.0, 1.0, rows + 1)
        cuts = angles[:, :1] * (1 - share) + angles[:, 1:] * share
        grid = self.points(stations[:, :, None], cuts[:, None, :], outset)
        quads = np.stack([grid[:, 0, :-1], grid[:, 1, :-1], grid[:, 1, 1:], grid[:, 0, 1:]], axis=2).reshape(-1, 4, 3)
        centers = quads.mean(axis=1)
        apexes = centers - (centers * (0, 1, 1)) * (0.12 / np.linalg.norm(centers[:, 1:], axis=1, keepdims=True))
        left = pyramids(quads, apexes, color, material)
        return merge([left if side > 0 else left.mirrored() for side in sides])

    def cockpit_glass(self, low: float, high: float, panes: tuple[float, ...], color: ArrayLike, lean: float) -> Mesh:
        """Windscreen and side windows between two heights (of the axis, in heights of the section).

        panes: pane boundaries backwards from the centre line, in heights; `lean` moves the upper edge.
        """
        bottom, top = low * self.height, high * self.height
        parts = []
        for start, end in zip(panes, panes[1:], strict=False):
            share = np.linspace(0, 1, 4)
            gap = 0.07 * (end - start)
            # The nose is blunt: beside the centre line a small step back is a wide step outwards.
            inner = start + gap if start > 0 else 0.0015
            along = (inner + (end - gap - inner) * (share if start > 0 else share**2)) * self.height
            rows = np.linspace(0, 1, 3)[:, None]
            height = np.broadcast_to(bottom * (1 - rows) + top * rows, (3, 4))
            station = self.station_at(height) + along * (1 - rows + rows * lean)
            angle = self.angle_at(station, height)
            grids = []
            for out in (0.02, -0.08):
                grids.append(self.points(station, angle, out))
            parts.append(shell(grids[0], grids[1], color, GLASS))
        left = merge(parts)
        return merge([left, left.mirrored()])
