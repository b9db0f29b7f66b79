"""A fleet's own meshes: read, turned, scaled, checked, and met in scenes."""

import numpy as np
import pytest
import trimesh
import yaml

from airside_perception.errors import AirsideError
from airside_perception.synth.generate import SynthOptions, run_synth
from airside_perception.synth.own_assets import MOST_TRIANGLES, load_own_assets
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene_builder import SceneBuilder

LOADER = {"class": "gse", "subtype": "belt_loader", "size": [7.0, 2.0, 2.6], "forward": "+x"}


def write(folder, name="loader.glb", mesh=None, **changes):
    """A wedge with its nose in +x, red, and its YAML."""
    if mesh is None:
        mesh = trimesh.creation.box(extents=[7.0, 2.0, 2.6])
        mesh.vertices[(mesh.vertices[:, 0] > 0) & (mesh.vertices[:, 2] > 0), 2] = 0.2
        mesh.visual.face_colors = [200, 20, 20, 255]
    fields = {key: value for key, value in {**LOADER, **changes}.items() if value is not None}
    if name.endswith(".glb") and "up" not in changes:
        fields["up"] = "+z"
    mesh.export(folder / name)
    (folder / name).with_suffix(".yaml").write_text(yaml.safe_dump(fields))
    return folder


@pytest.mark.parametrize("name", ["loader.glb", "loader.ply", "loader.obj"])
def test_a_mesh_is_read_with_its_colour_and_stands_upright(tmp_path, name):
    (asset,) = load_own_assets(write(tmp_path, name))
    assert (asset.kind, asset.class_name, asset.subtype) == ("own:loader", "gse", "belt_loader")
    np.testing.assert_allclose(asset.mesh.size, LOADER["size"], rtol=1e-5)
    assert asset.mesh.volume > 0
    if not name.endswith(".obj"):  # colours of OBJ files live in a material file
        np.testing.assert_allclose(
            asset.mesh.face_colors.mean(axis=0), (np.array([200, 20, 20]) / 255) ** 2.2, atol=0.02
        )
    front = asset.mesh.vertices[asset.mesh.vertices[:, 0] > 3]
    assert front[:, 2].max() < 0.5, "the low nose points forward"


@pytest.mark.parametrize(("forward", "up"), [("-y", "+z"), ("+z", "+y"), ("-x", "-z")])
def test_any_axes_are_turned_to_x_forward_and_z_up(tmp_path, forward, up):
    from airside_perception.synth.own_assets import AXES

    (plain,) = load_own_assets(write(tmp_path))
    rows = np.stack([AXES[forward], np.cross(AXES[up], AXES[forward]), AXES[up]])
    turned = trimesh.Trimesh(plain.mesh.vertices @ rows, plain.mesh.faces, process=False)
    other = tmp_path / "other"
    other.mkdir()
    (again,) = load_own_assets(write(other, "loader.ply", turned, forward=forward, up=up))
    np.testing.assert_allclose(np.sort(again.mesh.vertices, axis=0), np.sort(plain.mesh.vertices, axis=0), atol=1e-4)
    nose = again.mesh.vertices[again.mesh.vertices[:, 0] > 3]
    assert nose[:, 2].max() < 0.5


def test_millimetres_are_scaled_when_the_yaml_says_so(tmp_path):
    big = trimesh.creation.box(extents=[7000.0, 2000.0, 2600.0])
    (asset,) = load_own_assets(write(tmp_path, mesh=big, unit="mm"))
    np.testing.assert_allclose(asset.mesh.size, LOADER["size"], rtol=1e-5)


def test_own_assets_join_scenes_of_their_splits_only(tmp_path, small_rig):
    write(tmp_path)
    write(tmp_path, "cart.ply", subtype="my_cart", split="test")
    own = load_own_assets(tmp_path)
    assert set(SceneBuilder(0, "test", 1.0, own).kinds("gse")) >= {"own:loader", "own:cart"}
    assert "own:cart" not in SceneBuilder(0, "train", 1.0, own).kinds("gse")
    builder = SceneBuilder(0, "train", 1.0, own)
    drawn = [builder.asset("belt_loader") for _ in range(30)]
    ours = [asset for asset in drawn if asset.family == "loader"]
    assert 5 < len(ours) < 25
    assert len({tuple(asset.size.round(3)) for asset in ours}) > 3, "training stretches them"
    scenes = [build_scene(seed, "test", small_rig, 1.0, own_assets=own) for seed in range(4)]
    assert any(o.asset.family in ("loader", "cart") for scene in scenes for o in scene.objects)


def test_sequences_name_the_own_families_they_show(tmp_path, small_rig):
    (tmp_path / "meshes").mkdir()
    write(tmp_path / "meshes")
    small_rig.save(tmp_path / "rig.yaml")
    own = load_own_assets(tmp_path / "meshes")
    seed = next(
        seed
        for seed in range(20)
        if any(
            o.asset.family == "loader"
            for o in build_scene(seed, "train", small_rig, 0.2, 5.0, layout="scatter", own_assets=own).objects
        )
    )
    options = SynthOptions(
        out=tmp_path / "s",
        seed=seed,
        split="train",
        layout="scatter",
        rig=str(tmp_path / "rig.yaml"),
        duration_s=0.2,
        rate_hz=5.0,
        progress=False,
        assets=tmp_path / "meshes",
    )
    manifest = run_synth(options)
    assert any(name.startswith("own:loader/") for name in manifest["families"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": "truck"}, "class: expected one of aircraft, gse"),
        ({"size": [7.0, 2.0]}, r"size: expected \[length, width, height\]"),
        ({"subtype": None}, "subtype: expected a name"),
        ({"forward": "x"}, r"forward: expected one of \+x"),
        ({"forward": "+y"}, "other proportions"),
        ({"forward": "+z"}, "axes that differ"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"size": [0.007, 0.002, 0.0026]}, "size"),
        ({"size": [70.0, 20.0, 26.0]}, "scale the model"),
        ({"unit": "mm"}, "write 'unit: m'"),
        ({"split": "holdout"}, "split: expected one of all"),
    ],
)
def test_wrong_descriptions_are_refused_with_what_to_do(tmp_path, changes, message):
    with pytest.raises(AirsideError, match=message):
        load_own_assets(write(tmp_path, **changes))


def test_wrong_meshes_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(AirsideError, match="expected a folder"):
        load_own_assets(tmp_path / "nowhere")
    with pytest.raises(AirsideError, match="expected meshes"):
        load_own_assets(tmp_path)
    write(tmp_path)
    (tmp_path / "loader.yaml").unlink()
    with pytest.raises(AirsideError, match=r"its description loader\.yaml"):
        load_own_assets(tmp_path)
    (tmp_path / "loader.yaml").write_text("[1, 2")
    with pytest.raises(AirsideError, match="expected YAML"):
        load_own_assets(tmp_path)
    write(tmp_path)
    (tmp_path / "loader.glb").write_bytes(b"not a mesh")
    with pytest.raises(AirsideError, match="expected a mesh"):
        load_own_assets(tmp_path)
    (tmp_path / "loader.glb").write_bytes(b"")
    with pytest.raises(AirsideError, match="the file is empty"):
        load_own_assets(tmp_path)
    (tmp_path / "loader.glb").unlink()
    points = tmp_path / "points.ply"
    trimesh.PointCloud(np.zeros((3, 3))).export(points)
    points.with_suffix(".yaml").write_text(yaml.safe_dump(LOADER))
    with pytest.raises(AirsideError, match=r"expected (triangles|a mesh)"):
        load_own_assets(tmp_path)
    points.unlink()
    write(tmp_path, "flat.ply", trimesh.Trimesh([[0, 0, 0], [7, 0, 0], [0, 2, 0]], [[0, 1, 2]]))
    with pytest.raises(AirsideError, match="it is flat"):
        load_own_assets(tmp_path)
    (tmp_path / "flat.ply").unlink()
    sphere = trimesh.creation.icosphere(subdivisions=6, radius=1.0)
    assert len(sphere.faces) > MOST_TRIANGLES
    write(tmp_path, "ball.ply", sphere, size=[2.0, 2.0, 2.0])
    with pytest.raises(AirsideError, match="simplify the model"):
        load_own_assets(tmp_path)


def test_two_meshes_of_one_name_are_refused(tmp_path):
    write(tmp_path, "loader.glb")
    write(tmp_path, "loader.ply")
    with pytest.raises(AirsideError, match=r"got loader\.glb and loader\.ply"):
        load_own_assets(tmp_path)
