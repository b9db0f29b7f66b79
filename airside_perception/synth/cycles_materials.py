"""Materials, sky and sun of a scene as Blender node trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from airside_perception.synth.mesh import MATERIALS
from airside_perception.synth.scene import GroundTexture, Lighting

ALBEDO = "albedo"
"""Name of the colour attribute that meshes carry, linear, one value for each face corner."""

_SURFACE = {
    # roughness, metallic, specular level, coat weight
    "paint": (0.35, 0.0, 0.5, 0.3),
    "metal": (0.32, 0.9, 0.5, 0.0),
    "glass": (0.05, 0.0, 0.9, 1.0),
    "rubber": (0.85, 0.0, 0.25, 0.0),
    "fabric": (0.95, 0.0, 0.1, 0.0),
    "concrete": (0.9, 0.0, 0.2, 0.0),
    "emissive": (0.5, 0.0, 0.2, 0.0),
}
_GLOW = 1.5
"""Radiance of lamps over their albedo, as in the fast backend."""


def build_materials(bpy: Any) -> list[Any]:
    """One material for each entry of mesh.MATERIALS, in that order."""
    return [_object_material(bpy, name) for name in MATERIALS]


def _object_material(bpy: Any, name: str) -> Any:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"]
    roughness, metallic, specular, coat = _SURFACE[name]
    for socket, value in (
        ("Roughness", roughness),
        ("Metallic", metallic),
        ("Specular IOR Level", specular),
        ("Coat Weight", coat),
    ):
        surface.inputs[socket].default_value = value
    attribute = nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = ALBEDO
    links.new(_dirty(nodes, links, attribute.outputs["Color"]), surface.inputs["Base Color"])
    if name == "emissive":
        links.new(attribute.outputs["Color"], surface.inputs["Emission Color"])
        surface.inputs["Emission Strength"].default_value = _GLOW
    return material


def _dirty(nodes: Any, links: Any, color: Any) -> Any:
    """A colour times large and small blotches: no paint is even."""
    position = nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 0.9
    noise.inputs["Detail"].default_value = 4.0
    links.new(position, noise.inputs["Vector"])
    level = nodes.new("ShaderNodeMapRange")
    level.inputs["To Min"].default_value, level.inputs["To Max"].default_value = 0.86, 1.12
    links.new(noise.outputs["Fac"], level.inputs["Value"])
    scaled = nodes.new("ShaderNodeVectorMath")
    scaled.operation = "SCALE"
    links.new(color, scaled.inputs[0])
    links.new(level.outputs["Result"], scaled.inputs["Scale"])
    return scaled.outputs["Vector"]


def build_ground_material(bpy: Any, texture: GroundTexture, wetness: float) -> Any:
    """The drawn apron surface; wet concrete is darker and mirrors in its puddles."""
    rows, columns = texture.albedo.shape[:2]
    image = bpy.data.images.new("ground", columns, rows, float_buffer=False)
    image.colorspace_settings.name = "Non-Color"  # the texture holds linear albedo
    pixels = np.ones((rows, columns, 4), np.float32)
    pixels[..., :3] = texture.albedo / np.float32(255.0)
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    material = bpy.data.materials.new("ground")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"]
    position = nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    mapping = nodes.new("ShaderNodeMapping")
    # Texel centres lie half a texel inside the image.
    scale = 1.0 / (texture.metres_per_texel * np.array([columns, rows]))
    origin = np.asarray(texture.origin, float) - 0.5 * texture.metres_per_texel
    mapping.inputs["Scale"].default_value = (*scale, 1.0)
    mapping.inputs["Location"].default_value = (*(-origin * scale), 0.0)
    links.new(position, mapping.inputs["Vector"])
    painted = nodes.new("ShaderNodeTexImage")
    painted.image, painted.extension = image, "MIRROR"
    links.new(mapping.outputs["Vector"], painted.inputs["Vector"])
    surface.inputs["Roughness"].default_value = 0.9
    surface.inputs["Specular IOR Level"].default_value = 0.25
    if wetness <= 0.0:
        links.new(painted.outputs["Color"], surface.inputs["Base Color"])
        return material
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 0.3
    noise.inputs["Detail"].default_value = 2.0
    links.new(position, noise.inputs["Vector"])
    pools = _mapped(nodes, links, noise.outputs["Fac"], (0.5, 0.6), (0.35 * wetness, wetness))
    links.new(_mapped(nodes, links, pools, (0.0, 1.0), (0.85, 0.03)), surface.inputs["Roughness"])
    darker = nodes.new("ShaderNodeVectorMath")
    darker.operation = "SCALE"
    links.new(painted.outputs["Color"], darker.inputs[0])
    links.new(_mapped(nodes, links, pools, (0.0, 1.0), (1.0, 0.5)), darker.inputs["Scale"])
    links.new(darker.outputs["Vector"], surface.inputs["Base Color"])
    return material


def remove_material(bpy: Any, material: Any) -> None:
    """Free a material that nothing uses any more, and the images that only it showed."""
    images = {node.image for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"}
    bpy.data.materials.remove(material)
    for image in images:
        if image is not None and not image.users:
            bpy.data.images.remove(image)


def _mapped(nodes: Any, links: Any, value: Any, source: tuple[float, float], target: tuple[float, float]) -> Any:
    """A value mapped linearly from one range to another, clamped."""
    node = nodes.new("ShaderNodeMapRange")
    node.inputs["From Min"].default_value, node.inputs["From Max"].default_value = source
    node.inputs["To Min"].default_value, node.inputs["To Max"].default_value = target
    links.new(value, node.inputs["Value"])
    return node.outputs["Result"]


def set_sky(bpy: Any, lighting: Lighting) -> None:
    """A gradient from horizon to zenith with clouds, as bright as the scene's ambient light asks."""
    world = bpy.context.scene.world or bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    direction = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    height = nodes.new("ShaderNodeSeparateXYZ")
    links.new(direction, height.inputs[0])
    up = _mapped(nodes, links, height.outputs["Z"], (0.0, 1.0), (0.0, 1.0))
    curve = nodes.new("ShaderNodeMath")
    curve.operation = "POWER"
    curve.inputs[1].default_value = 0.55
    links.new(up, curve.inputs[0])
    sky = _mix(nodes, links, curve.outputs[0], lighting.sky_horizon, lighting.sky_zenith)
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 3.0
    noise.inputs["Detail"].default_value = 5.0
    links.new(direction, noise.inputs["Vector"])
    low = 0.75 - 0.45 * lighting.cloudiness
    cover = _mapped(nodes, links, noise.outputs["Fac"], (low, low + 0.3), (0.0, 0.8))
    clouded = _mix(nodes, links, cover, sky, np.asarray(lighting.sky_horizon) * 1.05)
    seen, lights = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeBackground")
    links.new(clouded, seen.inputs["Color"])
    lights.inputs["Color"].default_value = (*map(float, lighting.ambient_color), 1.0)
    # The camera and mirrors see the sky; matt surfaces are lit by what the scene calls ambient.
    path, choose, out = nodes.new("ShaderNodeLightPath"), nodes.new("ShaderNodeMixShader"), None
    links.new(path.outputs["Is Diffuse Ray"], choose.inputs["Fac"])
    links.new(seen.outputs[0], choose.inputs[1])
    links.new(lights.outputs[0], choose.inputs[2])
    out = nodes.new("ShaderNodeOutputWorld")
    links.new(choose.outputs[0], out.inputs["Surface"])


def _mix(nodes: Any, links: Any, factor: Any, first: Any, second: Any) -> Any:
    """Colour between two, each a socket or three numbers."""
    node = nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    links.new(factor, node.inputs[0])
    for socket, value in ((node.inputs[6], first), (node.inputs[7], second)):
        if isinstance(value, (np.ndarray, list, tuple)):
            socket.default_value = (*map(float, value), 1.0)
        else:
            links.new(value, socket)
    return node.outputs[2]


def set_sun(bpy: Any, lighting: Lighting) -> None:
    """One distant light; a hazier sky softens its shadows."""
    light = bpy.data.lights.get("sun") or bpy.data.lights.new("sun", "SUN")
    holder = bpy.data.objects.get("sun")
    if holder is None:
        holder = bpy.data.objects.new("sun", light)
        bpy.context.collection.objects.link(holder)
    color = np.asarray(lighting.sun_color, float)
    strength = float(color.max())
    light.color = tuple(color / max(strength, 1e-6))
    # A Lambertian surface returns albedo x irradiance / pi; the scene's numbers are albedo x sun colour.
    light.energy = strength * np.pi
    light.angle = float(np.radians(0.53 + 25.0 * np.clip(lighting.fog_density / 0.02, 0.0, 1.0)))
    holder.rotation_mode = "QUATERNION"
    holder.rotation_quaternion = _rotation_to(np.asarray(lighting.sun_direction, float))


def _rotation_to(direction: np.ndarray) -> tuple[float, float, float, float]:
    """Quaternion (w, x, y, z) that turns +z to a unit vector; a Blender sun shines along its -z."""
    w = 1.0 + float(direction[2])
    if w < 1e-6:
        return 0.0, 1.0, 0.0, 0.0
    values = np.array([w, -direction[1], direction[0], 0.0])
    w, x, y, z = (float(v) for v in values / np.linalg.norm(values))
    return w, x, y, z
