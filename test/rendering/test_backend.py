"""The choice of implementation, the package's lazy names, and what runs where there is no GPU."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import torch
from rendering_scenes import clip_positions, sphere

from airside_perception.errors import AirsideError
from airside_perception.rendering import antialias, get_backend, interpolate, rasterize, set_backend, warm_up

NVDIFFRAST = importlib.util.find_spec("nvdiffrast") is not None


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_warp_is_the_default_and_unknown_names_are_refused():
    assert get_backend() == "warp"
    with pytest.raises(AirsideError, match="expected one of warp, nvdiffrast, got 'opengl'"):
        set_backend("opengl")


@pytest.mark.skipif(NVDIFFRAST, reason="nvdiffrast is installed: its absence cannot be tested")
def test_a_missing_nvdiffrast_is_said_in_one_line_and_changes_nothing():
    with pytest.raises(AirsideError, match="not installed") as error:
        set_backend("nvdiffrast")
    assert "\n" not in str(error.value)
    assert get_backend() == "warp"


def test_importing_the_room_loads_neither_torch_nor_warp():
    run_python("import sys, airside_perception.rendering; assert not {'torch', 'warp'} & set(sys.modules)")


def test_public_names_are_functions_whichever_is_asked_for_first():
    run_python(
        "from airside_perception.rendering import edge_neighbours\n"
        "from airside_perception.rendering import antialias, shade\n"
        "assert callable(antialias) and callable(shade) and callable(edge_neighbours)"
    )


def test_starting_up_prints_nothing():
    done = run_python(
        "import torch\nfrom airside_perception.rendering import rasterize\n"
        "rasterize(torch.zeros(1, 3, 4), torch.tensor([[0, 1, 2]], dtype=torch.int32), (4, 4))"
    )
    assert done.stdout + done.stderr == ""


def test_warm_up_runs_forward_and_backward():
    warm_up("cpu")


def test_kernels_compile_for_cuda_without_a_gpu(tmp_path):
    wp = pytest.importorskip("warp")
    if not hasattr(wp, "compile_aot_module"):
        pytest.skip("this Warp cannot compile ahead of time")
    from airside_perception.rendering import warp_kernels, warp_kernels_antialias
    from airside_perception.rendering.warp_runtime import start_warp

    start_warp()
    if not wp.get_cuda_supported_archs():
        pytest.skip("this Warp was built without CUDA")
    for module in (warp_kernels, warp_kernels_antialias):
        wp.compile_aot_module(module, arch=87, module_dir=str(tmp_path), use_ptx=True)
    assert len(list(tmp_path.glob("*.ptx"))) == 2


def draw(positions, triangles, colors):
    raster = rasterize(positions, triangles, (64, 64))
    return raster, antialias(interpolate(colors, raster, triangles), raster, positions, triangles)


def sphere_scene():
    vertices, triangles = sphere(12)
    positions = clip_positions(vertices + torch.tensor([0.05, 0.03, 3.0]))[None]
    return positions, triangles, torch.rand(1, len(vertices), 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_draws_what_the_cpu_draws():
    scene = sphere_scene()
    raster, image = draw(*scene)
    raster_cuda, image_cuda = draw(*(tensor.cuda() for tensor in scene))
    torch.testing.assert_close(raster_cuda.cpu(), raster, rtol=0, atol=1e-6)
    torch.testing.assert_close(image_cuda.cpu(), image, rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.skipif(not NVDIFFRAST, reason="nvdiffrast is not installed (its licence forbids commercial use)")
def test_nvdiffrast_draws_what_warp_draws():
    scene = [tensor.cuda() for tensor in sphere_scene()]
    raster, image = draw(*scene)
    set_backend("nvdiffrast")
    try:
        other_raster, other_image = draw(*scene)
    finally:
        set_backend("warp")
    same = raster[..., 3] == other_raster[..., 3]
    assert same.float().mean() > 0.995
    torch.testing.assert_close(other_raster[same], raster[same], rtol=0, atol=1e-3)
    assert (other_image - image).abs().mean() < 0.01
