"""The photo-real backend: Blender's path tracer makes the image, the fast backend the labels of the same scene."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.synth.bent_camera import bent_camera, pixel_rays
from airside_perception.synth.cycles_materials import (
    ALBEDO,
    build_ground_material,
    build_materials,
    coated,
    remove_material,
    set_glow,
    set_lamps,
    set_sky,
    set_sun,
)
from airside_perception.synth.exposure import developed
from airside_perception.synth.lamps import MOST, scene_lamps
from airside_perception.synth.mesh import Mesh
from airside_perception.synth.raster_backend import FAR, NEAR, ImageLayers, RasterBackend
from airside_perception.synth.scene import Lighting, Scene, SceneObject, SensorStyle
from airside_perception.synth.scene_geometry import SceneGeometry, corner_normals

SAMPLES = 14
GROUND_HALF_EXTENT = 600.0
BOUNCES = 4


def load_blender() -> Any:
    """Blender as a module.

    Raises:
        AirsideError: it is not installed.
    """
    try:
        with _quiet():
            import bpy
    except ImportError as error:
        raise AirsideError(
            f"backend cycles: expected Blender as the Python module 'bpy', cannot import it ({error}); "
            "install the extra: pip install 'airside_perception[cycles]', or choose --backend raster"
        ) from error
    return bpy


class CyclesBackend:
    """Renders one scene; only one may live at a time in a process, because Blender has one scene.

    Args:
        scene: what to render.
        samples: paths for each pixel, before denoising.
        threads: CPU threads; 0: all.
    """

    def __init__(self, scene: Scene, samples: int = SAMPLES, threads: int = 0):
        self._bpy = load_blender()
        self._scene, self._labels = scene, RasterBackend(scene, smooth=False)
        self._objects: list[Any] = []
        self._folder = tempfile.TemporaryDirectory(prefix="airside_cycles_")
        with _quiet():
            self._set_up(samples, threads)

    def geometry(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s`."""
        return self._labels.geometry(time_s)

    def relight(self, lighting: Lighting, sensor: SensorStyle) -> None:
        """Go on with the same scene in another light, seen by another sensor."""
        self._scene = replace(self._scene, lighting=lighting, sensor=sensor)
        self._labels.relight(lighting, sensor)
        with _quiet():
            self._light()

    def render(self, time_s: float, camera: Camera, rng: np.random.Generator) -> ImageLayers:
        """Render one camera of the vehicle at `time_s`; arguments as of RasterBackend.render."""
        labels = self._labels.render(time_s, camera, np.random.default_rng(0))
        if camera.is_linear:
            radiance = self._trace(time_s, camera)
        else:
            bent = bent_camera(camera)
            radiance = bent.resample_image([self._trace(time_s, face) for face in bent.faces])
        rgb = developed(radiance, self._scene, rng, camera.name)
        return ImageLayers(rgb, labels.depth, labels.semantic, labels.item)

    def trace_labels(self, time_s: float, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """What the path tracer itself says of a linear camera: for checks against the fast backend.

        Returns:
            (H, W) float32 depth along the optical axis, metres, 0 = sky; (H, W) int32 as ImageLayers.item.
        """
        with _quiet():
            passes = self._render_passes(time_s, camera, ("Depth", "IndexOB"), samples=1)
        depth, index = passes["Depth"], np.round(passes["IndexOB"]).astype(np.int32)
        sky = depth > FAR
        return np.where(sky, 0.0, depth), np.where(sky, -2, index - 2)

    def _set_up(self, samples: int, threads: int) -> None:
        bpy = self._bpy
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.engine = "CYCLES"
        scene.cycles.device = "CPU"
        scene.cycles.samples, scene.cycles.use_adaptive_sampling = samples, False
        scene.cycles.use_denoising, scene.cycles.denoiser = True, "OPENIMAGEDENOISE"
        scene.cycles.max_bounces = BOUNCES
        scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
        scene.render.use_persistent_data = True
        if threads > 0:
            scene.render.threads_mode, scene.render.threads = "FIXED", threads
        scene.view_settings.view_transform = "Raw"
        self._materials = build_materials(bpy)
        for index, item in enumerate(self._scene.objects):
            self._objects.append(self._upload(item, index))
        self._lay_ground()
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        bpy.context.collection.objects.link(camera)
        scene.camera = camera
        self._light()

    def _light(self) -> None:
        set_sky(self._bpy, self._scene.lighting)
        set_sun(self._bpy, self._scene.lighting)
        laid = self._ground.data.materials
        for material in list(laid):
            laid.clear()
            remove_material(self._bpy, material)
        laid.append(build_ground_material(self._bpy, self._scene.ground, self._scene.lighting))
        set_glow(self._materials, self._scene.lighting.glow)

    def _upload(self, item: SceneObject, index: int) -> Any:
        bpy, mesh = self._bpy, item.asset.mesh
        data = bpy.data.meshes.new(item.object_id)
        data.from_pydata([], [], [])
        data.vertices.add(len(mesh.vertices))
        data.loops.add(mesh.faces.size)
        data.polygons.add(len(mesh.faces))
        data.vertices.foreach_set("co", np.ascontiguousarray(mesh.vertices, np.float32).ravel())
        data.loops.foreach_set("vertex_index", np.ascontiguousarray(mesh.faces, np.int32).ravel())
        data.polygons.foreach_set("loop_start", np.arange(0, mesh.faces.size, 3, dtype=np.int32))
        pattern = self._scene.patterns[index] if self._scene.patterns else None
        for material in self._materials:
            data.materials.append(material if pattern is None else coated(bpy, material, pattern))
        data.polygons.foreach_set("material_index", mesh.face_materials.astype(np.int32))
        colors = data.color_attributes.new(ALBEDO, "FLOAT_COLOR", "CORNER")
        corner = np.ones((len(mesh.faces), 3, 4), np.float32)
        corner[..., :3] = mesh.face_colors[:, None]
        colors.data.foreach_set("color", corner.ravel())
        data.update(calc_edges=True)
        self._set_normals(data, mesh)
        holder = bpy.data.objects.new(item.object_id, data)
        holder.pass_index = index + 2
        bpy.context.collection.objects.link(holder)
        return holder

    def _set_normals(self, data: Any, mesh: Mesh) -> None:
        data.normals_split_custom_set(corner_normals(mesh).reshape(-1, 3).tolist())

    def _lay_ground(self) -> None:
        bpy, reach = self._bpy, GROUND_HALF_EXTENT
        data = bpy.data.meshes.new("ground")
        data.from_pydata(
            [(-reach, -reach, 0), (reach, -reach, 0), (reach, reach, 0), (-reach, reach, 0)], [], [(0, 1, 2, 3)]
        )
        self._ground = bpy.data.objects.new("ground", data)
        self._ground.pass_index = 1
        bpy.context.collection.objects.link(self._ground)

    def _pose_objects(self, time_s: float) -> None:
        import mathutils  # comes with bpy

        for item, holder in zip(self._scene.objects, self._objects, strict=True):
            holder.matrix_world = mathutils.Matrix(item.pose(time_s).tolist())
            if item.deforms:
                mesh = item.mesh(time_s)
                holder.data.vertices.foreach_set("co", np.ascontiguousarray(mesh.vertices, np.float32).ravel())
                holder.data.update()
                self._set_normals(holder.data, mesh)

    def _point_camera(self, time_s: float, camera: Camera) -> None:
        import mathutils

        scene, holder = self._bpy.context.scene, self._bpy.context.scene.camera
        scene.render.resolution_x, scene.render.resolution_y = camera.width, camera.height
        scene.render.resolution_percentage = 100
        k, data = camera.intrinsics, holder.data
        data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
        data.lens = float(k[0, 0] * 36.0 / camera.width)
        # Pixels that are not square: neither aspect may be below one.
        tall = float(k[0, 0] / k[1, 1])
        scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = max(1.0, 1.0 / tall), max(1.0, tall)
        data.shift_x = float(((camera.width - 1) / 2 - k[0, 2]) / camera.width)
        data.shift_y = float((k[1, 2] - (camera.height - 1) / 2) / camera.width * tall)
        data.clip_start, data.clip_end = NEAR, 2.0 * GROUND_HALF_EXTENT
        # Blender's cameras look along -z with y up, optical frames along z with y down.
        world = self._scene.odom_from_base(time_s) @ camera.base_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0])
        holder.matrix_world = mathutils.Matrix(world.tolist())

    def _trace(self, time_s: float, camera: Camera) -> np.ndarray:
        """(H, W, 3) float32 linear radiance of a linear camera, seen through the air."""
        with _quiet():
            radiance = self._render_passes(time_s, camera, ("Image",))["Image"]
        if self._scene.lighting.fog_density <= 0.0 and self._scene.lighting.mist <= 0.0:
            return radiance
        return self._hazy(radiance, self._labels.depth(time_s, camera), time_s, camera)

    def _render_passes(
        self, time_s: float, camera: Camera, names: tuple[str, ...], samples: int | None = None
    ) -> dict[str, np.ndarray]:
        """Render and read the wanted passes back through files: a background render has no other way out."""
        bpy, scene = self._bpy, self._bpy.context.scene
        self._pose_objects(time_s)
        set_lamps(bpy, scene_lamps(self._scene, time_s), MOST)
        self._point_camera(time_s, camera)
        layer = scene.view_layers[0]
        layer.use_pass_z, layer.use_pass_object_index = "Depth" in names, "IndexOB" in names
        kept = scene.cycles.samples, scene.cycles.use_denoising
        if samples is not None:
            scene.cycles.samples, scene.cycles.use_denoising = samples, False
        self._connect_outputs(names)
        try:
            bpy.ops.render.render(write_still=False)
        finally:
            scene.cycles.samples, scene.cycles.use_denoising = kept
        return {name: self._read_pass(name) for name in names}

    def _connect_outputs(self, names: tuple[str, ...]) -> None:
        scene = self._bpy.context.scene
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        source = tree.nodes.new("CompositorNodeRLayers")
        sink = tree.nodes.new("CompositorNodeOutputFile")
        sink.base_path = self._folder.name
        sink.format.file_format, sink.format.color_depth = "OPEN_EXR", "32"
        sink.file_slots.clear()
        for name in names:
            sink.file_slots.new(f"{name}_")
            tree.links.new(source.outputs[name], sink.inputs[-1])

    def _read_pass(self, name: str) -> np.ndarray:
        bpy = self._bpy
        path = max(Path(self._folder.name).glob(f"{name}_*.exr"))
        image = bpy.data.images.load(str(path), check_existing=False)
        try:
            width, height = image.size
            values = np.empty(width * height * image.channels, np.float32)
            image.pixels.foreach_get(values)
        finally:
            bpy.data.images.remove(image)
            path.unlink()
        # Blender counts rows from the bottom.
        pixels = values.reshape(height, width, -1)[::-1]
        return np.ascontiguousarray(pixels[..., :3] if name == "Image" else pixels[..., 0])

    def _hazy(self, radiance: np.ndarray, depth: np.ndarray, time_s: float, camera: Camera) -> np.ndarray:
        """Fog, and mist near the ground, over the traced image, as in the fast backend's `haze`."""
        light, rays = self._scene.lighting, pixel_rays(camera)
        lengths = np.where(depth > 0, depth / rays[..., 2], 0.0)
        swallowed = light.fog_density * lengths
        if light.mist > 0.0:
            pose = self._scene.odom_from_base(time_s) @ camera.base_from_camera
            start = max(float(pose[2, 3]), 0.0)
            end = np.maximum(start + lengths * (rays @ pose[2, :3]), 0.0)
            low, high = (
                np.minimum(start, end) / 2,
                np.maximum(np.maximum(start, end) / 2, np.minimum(start, end) / 2 + 0.01),
            )
            swallowed = swallowed + light.mist * lengths * (np.exp(-low) - np.exp(-high)) / (high - low)
        clear = np.exp(-swallowed)[..., None]
        return (radiance * clear + np.asarray(light.sky_horizon) * (1 - clear)).astype(np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Blender's chatter, which comes from C, off the terminal; Python's own streams, too."""
    keep = [os.dup(1), os.dup(2)]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(io.StringIO()):
        try:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            for stream, target in zip(keep, (1, 2), strict=True):
                os.dup2(stream, target)
                os.close(stream)
