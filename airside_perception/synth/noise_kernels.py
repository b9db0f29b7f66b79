"""Noise on lattices. Warp functions, CPU and CUDA."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.func
def hash_noise(x: int, y: int, z: int) -> float:
    """White noise in 0..1 of a lattice point."""
    h = wp.uint32(x) * wp.uint32(73856093) ^ wp.uint32(y) * wp.uint32(19349663) ^ wp.uint32(z) * wp.uint32(83492791)
    h = (h ^ (h >> wp.uint32(13))) * wp.uint32(1274126177)
    h = h ^ (h >> wp.uint32(16))
    return float(h & wp.uint32(65535)) / 65535.0


@wp.func
def value_noise(p: wp.vec3) -> float:
    """Trilinear value noise in 0..1 with unit cells."""
    fx, fy, fz = wp.floor(p[0]), wp.floor(p[1]), wp.floor(p[2])
    ix, iy, iz = int(fx), int(fy), int(fz)
    u, v, w = p[0] - fx, p[1] - fy, p[2] - fz
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    w = w * w * (3.0 - 2.0 * w)
    a = wp.lerp(hash_noise(ix, iy, iz), hash_noise(ix + 1, iy, iz), u)
    b = wp.lerp(hash_noise(ix, iy + 1, iz), hash_noise(ix + 1, iy + 1, iz), u)
    c = wp.lerp(hash_noise(ix, iy, iz + 1), hash_noise(ix + 1, iy, iz + 1), u)
    d = wp.lerp(hash_noise(ix, iy + 1, iz + 1), hash_noise(ix + 1, iy + 1, iz + 1), u)
    return wp.lerp(wp.lerp(a, b, v), wp.lerp(c, d, v), w)


@wp.func
def flat_noise(x: float, y: float, layer: int) -> float:
    """Bilinear value noise in 0..1 with unit cells: half the price of `value_noise`."""
    fx, fy = wp.floor(x), wp.floor(y)
    ix, iy = int(fx), int(fy)
    u, v = x - fx, y - fy
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    a = wp.lerp(hash_noise(ix, iy, layer), hash_noise(ix + 1, iy, layer), u)
    b = wp.lerp(hash_noise(ix, iy + 1, layer), hash_noise(ix + 1, iy + 1, layer), u)
    return wp.lerp(a, b, v)
