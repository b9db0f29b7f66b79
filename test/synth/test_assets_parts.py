"""The builders of closed parts: every edge shared by two faces, faces outward, sizes as asked."""

import numpy as np
import pytest

from airside_perception.synth import fitted_parts
from airside_perception.synth import mesh_parts as parts
from airside_perception.synth.mesh_parts import Mesh

GREY = (0.5, 0.5, 0.5)


def edge_counts(mesh: Mesh) -> np.ndarray:
    """How often each undirected edge occurs."""
    pairs = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)
    return np.unique(pairs, axis=0, return_counts=True)[1]


def oriented_edges_are_unique(mesh: Mesh) -> bool:
    """Neighbouring faces walk their common edge in opposite directions."""
    pairs = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    return len(np.unique(pairs, axis=0)) == len(pairs)


OUTLINE = [(0.0, 0.0), (2.0, 0.0), (1.5, 1.0), (0.0, 1.0)]
PARTS = {
    "box": lambda: parts.box((1, 2, 3), (2, 3, 4), GREY),
    "boxes": lambda: parts.boxes([(0, 0, 0), (5, 0, 0)], (1, 2, 3), GREY),
    "chamfered_box": lambda: parts.chamfered_box((0, 0, 1), (2, 1, 1), 0.1, GREY),
    "cylinder": lambda: parts.cylinder((0, 0, 0), (1, 2, 3), 0.3, GREY),
    "cone": lambda: parts.cone((0, 0, 0), (0, 0, 1), 0.3, GREY),
    "tube": lambda: parts.tube([(0, 0, 0), (1, 0, 0), (1, 1, 0)], 0.1, GREY),
    "lathe_x": lambda: parts.lathe([(0, 0.5), (1, 1), (2, 0.5)], GREY, axis="x"),
    "lathe_y": lambda: parts.lathe([(0, 0.5), (1, 1), (2, 0.5)], GREY, axis="y"),
    "lathe_z": lambda: parts.lathe([(2, 0.5), (1, 1), (0, 0.5)], GREY, axis="z"),
    "ring": lambda: parts.lathe([(0, 1.0), (1, 1.0), (1, 0.8), (0, 0.8)], GREY, loop=True),
    "ellipsoid": lambda: parts.ellipsoid((1, 1, 1), (1, 2, 3), GREY),
    "prism": lambda: parts.prism(OUTLINE, -1, 1, GREY),
    "prism_clockwise": lambda: parts.prism(OUTLINE[::-1], -1, 1, GREY, taper=0.8),
    "panel": lambda: fitted_parts.panel([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], GREY),
    "pyramids": lambda: parts.pyramids(
        [[(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]] * 2, [(0, 0, 1), (0, 0, -1)], GREY
    ),
    "wheel": lambda: fitted_parts.wheel((0, 0, 0.5), 0.5, 0.2),
    "coarse_wheel": lambda: fitted_parts.wheel((0, 0, 0.5), 0.5, 0.2, coarse=True),
    "wing": lambda: fitted_parts.lifting_surface(
        [(0, 0, 0), (-1, 3, 0.2)], [2.0, 1.0], [0.12, 0.1], [(0, 0, 1), (0, 0, 1)], GREY, edge_color=(1, 1, 1)
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_closed_and_outward(name):
    mesh = PARTS[name]()
    for candidate in (mesh, mesh.mirrored(), mesh.rotated("z", 1.0, (1, 1, 0)), mesh.scaled((1, 2, 3))):
        assert np.all(edge_counts(candidate) == 2)
        assert oriented_edges_are_unique(candidate)
        assert candidate.volume > 0


def test_volumes_of_simple_parts():
    assert parts.box((1, 2, 3), (2, 3, 4), GREY).volume == pytest.approx(24.0, rel=1e-5)
    assert parts.prism(OUTLINE, -1, 1, GREY).volume == pytest.approx(3.5, rel=1e-5)
    ball = parts.ellipsoid((0, 0, 0), (1, 1, 1), GREY, segments=48, rows=48)
    assert ball.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)


def test_each_pyramid_points_outward_by_itself():
    mesh = PARTS["pyramids"]()
    for first in (0, 6):
        one = parts.make_mesh(mesh.vertices, mesh.faces[first : first + 6], GREY)
        assert one.volume > 0


def test_mirror_and_transform_keep_the_outside_outside():
    mesh = parts.prism(OUTLINE, 0, 1, GREY)
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    np.testing.assert_allclose(mesh.transformed(flip).vertices, mesh.mirrored().vertices)
    assert mesh.transformed(flip).volume == pytest.approx(mesh.volume)


def test_merge_keeps_colours_and_materials_with_their_faces():
    red, blue = parts.box((0, 0, 0), (1, 1, 1), (1, 0, 0), parts.GLASS), parts.box((3, 0, 0), (1, 1, 1), (0, 0, 1))
    both = parts.merge([red, blue])
    centres = both.vertices[both.faces].mean(axis=1)
    np.testing.assert_array_equal(both.face_colors[centres[:, 0] < 1.5], np.tile([[1, 0, 0]], (12, 1)))
    np.testing.assert_array_equal(both.face_materials == parts.GLASS, centres[:, 0] < 1.5)


def test_lathe_follows_its_axis():
    for axis, index in (("x", 0), ("y", 1), ("z", 2)):
        size = parts.lathe([(0, 0.25), (3, 0.25)], GREY, axis=axis, segments=24).size
        assert size[index] == pytest.approx(3.0)
        assert np.delete(size, index) == pytest.approx([0.5, 0.5], abs=0.02)
