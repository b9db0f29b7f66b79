import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from airside_perception.prior.isosurface import edge_vertex_jacobian, interpolate_edges, marching_tetrahedra
from airside_perception.prior.level_of_detail import face_normals, reduce_to, vertex_normals


def grid_positions(count: int, reach: float = 1.2) -> torch.Tensor:
    axis = torch.linspace(-reach, reach, count, dtype=torch.float64)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def is_closed(faces: torch.Tensor) -> bool:
    """Every directed edge meets its opposite equally often."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = int(faces.max()) + 1
    forward, backward = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    return torch.equal(forward.sort().values, backward.sort().values)


def volume(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    a, b, c = vertices[faces].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def test_a_sphere_has_its_volume_its_normals_and_one_handle_free_component():
    positions = grid_positions(25)
    sdf = positions.norm(dim=-1) - 0.97
    surface = marching_tetrahedra(sdf[None])
    vertices = interpolate_edges(surface.edge_nodes, sdf, positions.reshape(-1, 3))
    assert is_closed(surface.faces)
    assert volume(vertices, surface.faces) == pytest.approx(4 / 3 * torch.pi * 0.97**3, rel=0.01)
    assert torch.allclose(vertices.norm(dim=1), torch.full((len(vertices),), 0.97, dtype=torch.float64), atol=4e-3)
    assert (vertex_normals(vertices, surface.faces) * vertices).sum(1).min() > 0.9
    edges = len(surface.faces) * 3 // 2
    assert len(vertices) - edges + len(surface.faces) == 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_any_noise_yields_a_closed_surface_that_faces_outside(seed):
    generator = torch.Generator().manual_seed(seed)
    sdf = torch.ones(7, 6, 8, dtype=torch.float64)
    sdf[1:-1, 1:-1, 1:-1] = torch.randn(5, 4, 6, generator=generator, dtype=torch.float64)
    axes = [torch.arange(count, dtype=torch.float64) for count in sdf.shape]
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    surface = marching_tetrahedra(sdf[None])
    vertices = interpolate_edges(surface.edge_nodes, sdf, positions)
    assert is_closed(surface.faces)
    assert volume(vertices, surface.faces) > 0


def test_a_batch_equals_its_grids_one_by_one():
    positions = grid_positions(11)
    grids = torch.stack([positions.norm(dim=-1) - radius for radius in (0.6, 5.0, -1.0, 0.9)])
    grids[1, :] = 1.0
    batch = marching_tetrahedra(grids)
    assert batch.vertex_counts[1] == batch.face_counts[1] == batch.face_counts[2] == 0
    first = marching_tetrahedra(grids[3:])
    assert torch.equal(batch.faces[-len(first.faces) :] - batch.vertex_counts[0], first.faces)
    packed = interpolate_edges(batch.edge_nodes, grids, positions.reshape(-1, 3))
    single = interpolate_edges(first.edge_nodes, grids[3], positions.reshape(-1, 3))
    assert torch.equal(packed[int(batch.vertex_counts[0]) :], single)


def test_edge_jacobian_is_the_derivative_of_the_interpolation():
    positions = grid_positions(9)
    sdf = positions.norm(dim=-1) - 0.8
    basis = torch.randn(sdf.numel(), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    edges = marching_tetrahedra(sdf[None]).edge_nodes
    flat = positions.reshape(-1, 3)
    jacobian = edge_vertex_jacobian(edges, sdf, basis[edges], flat)
    for column in range(3):
        moved = [interpolate_edges(edges, sdf.reshape(-1) + s * 1e-6 * basis[:, column], flat) for s in (1, -1)]
        assert torch.allclose(jacobian[:, :, column], (moved[0] - moved[1]) / 2e-6, atol=1e-5)


def test_wrong_grids_are_refused():
    with pytest.raises(ValueError, match="expected \\(B, X, Y, Z\\)"):
        marching_tetrahedra(torch.zeros(3, 3, 3))


@pytest.mark.parametrize("target", [150, 400, 1500])
def test_reduction_keeps_a_thin_plate_closed_and_two_sided(target):
    lattice = torch.stack(torch.meshgrid(*(torch.arange(n) for n in (40, 30, 9)), indexing="ij"), dim=-1).double()
    half = torch.tensor([17.0, 12.0, 0.8], dtype=torch.float64)
    sdf = ((lattice - torch.tensor([19.5, 14.5, 4.2])).abs() - half).max(dim=-1).values
    surface = marching_tetrahedra(sdf[None])
    points = interpolate_edges(surface.edge_nodes, sdf, lattice.reshape(-1, 3))
    coarse = reduce_to(points, vertex_normals(points, surface.faces), surface.faces, target)
    vertices = coarse.mean(points)
    assert is_closed(coarse.faces)
    assert abs(len(coarse.faces) - target) <= 0.4 * target
    assert volume(vertices, coarse.faces) == pytest.approx(8 * float(half.prod()), rel=0.25)
    normals = face_normals(vertices, coarse.faces)
    assert (normals[:, 2] > 0).any()
    assert (normals[:, 2] < 0).any()
