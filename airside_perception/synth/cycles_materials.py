"""Materials, sky and sun of a scene as Blender node trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from airside_perception.synth.ground import snow_covered
from airside_perception.synth.lamps import Lamps
from airside_perception.synth.mesh import MATERIALS
from airside_perception.synth.scene import GroundTexture, Lighting, Pattern

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
    return material


def set_glow(materials: Sequence[Any], glow: float) -> None:
    """Radiance of lamps over their albedo."""
    lamps = materials[MATERIALS.index("emissive")]
    lamps.node_tree.nodes["Principled BSDF"].inputs["Emission Strength"].default_value = glow


def coated(bpy: Any, material: Any, pattern: Pattern) -> Any:
    """A copy of an object's material under a made-up coat."""
    copy = material.copy()
    nodes, links = copy.node_tree.nodes, copy.node_tree.links
    surface = nodes["Principled BSDF"]
    own = surface.inputs["Base Color"].links[0].from_socket
    first, second = (np.asarray(color, float) for color in pattern.colors)
    share: Any = None
    if pattern.kind != "plain":
        kind, output = {
            "checker": ("ShaderNodeTexChecker", "Fac"), "stripes": ("ShaderNodeTexWave", "Fac"),
            "blotches": ("ShaderNodeTexNoise", "Fac"), "grain": ("ShaderNodeTexWhiteNoise", "Value"),
        }[pattern.kind]  # fmt: skip
        texture = nodes.new(kind)
        place = nodes.new("ShaderNodeTexCoord").outputs["Object"]
        if pattern.kind == "grain":
            place = _snapped(nodes, links, place, pattern.scale / 8)
        else:
            texture.inputs["Scale"].default_value = 1.0 / pattern.scale
        links.new(place, texture.inputs["Vector"])
        share = texture.outputs[output]
        if pattern.kind in ("stripes", "blotches"):
            share = _mapped(nodes, links, share, (0.45, 0.55), (0.0, 1.0))
    made = _mix(nodes, links, 0.0 if share is None else share, first, second)
    links.new(_mix(nodes, links, float(pattern.strength), own, made), surface.inputs["Base Color"])
    return copy


def _snapped(nodes: Any, links: Any, vector: Any, step: float) -> Any:
    """A place rounded to a lattice: white noise then has cells of `step` metres."""
    node = nodes.new("ShaderNodeVectorMath")
    node.operation = "SNAP"
    node.inputs[1].default_value = (step, step, step)
    links.new(vector, node.inputs[0])
    return node.outputs["Vector"]


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


def build_ground_material(bpy: Any, texture: GroundTexture, lighting: Lighting) -> Any:
    """The drawn apron surface; wet concrete is darker and mirrors in its puddles, snow lies on it in drifts."""
    wetness = lighting.wetness
    albedo = snow_covered(texture, lighting.snow) if lighting.snow > 0 else texture.albedo
    rows, columns = albedo.shape[:2]
    image = bpy.data.images.new("ground", columns, rows, float_buffer=False)
    image.colorspace_settings.name = "Non-Color"  # the texture holds linear albedo
    pixels = np.ones((rows, columns, 4), np.float32)
    pixels[..., :3] = albedo / np.float32(255.0)
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
    if np.any(lighting.sun_glow):
        sky = _glowing(nodes, links, sky, direction, height.outputs["Z"], lighting)
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 3.0 * lighting.cloud_scale
    noise.inputs["Detail"].default_value = 5.0
    links.new(direction, noise.inputs["Vector"])
    low = 0.75 - 0.45 * lighting.cloudiness
    cover = _mapped(nodes, links, noise.outputs["Fac"], (low, low + 0.3), (0.0, 0.8))
    clouds = lighting.sky_horizon * 1.05 if lighting.cloud_color is None else lighting.cloud_color
    clouded = _mix(nodes, links, cover, sky, np.asarray(clouds))
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


def _glowing(nodes: Any, links: Any, sky: Any, direction: Any, up: Any, lighting: Lighting) -> Any:
    """The sky with the glow low on the sun's side: cosine to the sun's bearing cubed, times (1 - up) to the fourth."""
    level = np.array([*lighting.sun_direction[:2], 0.0]) / max(float(np.hypot(*lighting.sun_direction[:2])), 1e-6)
    flat = nodes.new("ShaderNodeVectorMath")
    flat.operation = "MULTIPLY"
    flat.inputs[1].default_value = (1.0, 1.0, 0.0)
    unit = nodes.new("ShaderNodeVectorMath")
    unit.operation = "NORMALIZE"
    toward = nodes.new("ShaderNodeVectorMath")
    toward.operation = "DOT_PRODUCT"
    toward.inputs[1].default_value = tuple(level)
    links.new(direction, flat.inputs[0])
    links.new(flat.outputs["Vector"], unit.inputs[0])
    links.new(unit.outputs["Vector"], toward.inputs[0])
    side = _power(nodes, links, _mapped(nodes, links, toward.outputs["Value"], (0.0, 1.0), (0.0, 1.0)), 3.0)
    low = _power(nodes, links, _mapped(nodes, links, up, (0.0, 1.0), (1.0, 0.0)), 4.0)
    share = nodes.new("ShaderNodeMath")
    share.operation = "MULTIPLY"
    links.new(side, share.inputs[0])
    links.new(low, share.inputs[1])
    glow = nodes.new("ShaderNodeVectorMath")
    glow.operation = "SCALE"
    glow.inputs[0].default_value = tuple(map(float, lighting.sun_glow))
    links.new(share.outputs[0], glow.inputs["Scale"])
    total = nodes.new("ShaderNodeVectorMath")
    total.operation = "ADD"
    links.new(sky, total.inputs[0])
    links.new(glow.outputs["Vector"], total.inputs[1])
    return total.outputs["Vector"]


def _power(nodes: Any, links: Any, base: Any, exponent: float) -> Any:
    node = nodes.new("ShaderNodeMath")
    node.operation = "POWER"
    node.inputs[1].default_value = exponent
    links.new(base, node.inputs[0])
    return node.outputs[0]


def _mix(nodes: Any, links: Any, factor: Any, first: Any, second: Any) -> Any:
    """Colour between two, each a socket or three numbers."""
    node = nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    if isinstance(factor, float):
        node.inputs[0].default_value = factor
    else:
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


def set_lamps(bpy: Any, lamps: Lamps, most: int) -> None:
    """Point lights and cones at their places; a pool of `most` Blender lights of each kind is used again and again."""
    for kind, chosen in (("POINT", lamps.cosine < -1), ("SPOT", lamps.cosine >= -1)):
        table = [np.compress(chosen, each, axis=0) for each in (lamps.position, lamps.color, lamps.direction)]
        for number in range(most):
            name = f"lamp_{kind}_{number}"
            holder = bpy.data.objects.get(name)
            if number >= len(table[0]):
                if holder is not None:
                    holder.data.energy = 0.0
                continue
            if holder is None:
                holder = bpy.data.objects.new(name, bpy.data.lights.new(name, kind))
                bpy.context.collection.objects.link(holder)
            position, color, direction = (each[number] for each in table)
            strength = float(color.max())
            holder.data.color = tuple(color / max(strength, 1e-6))
            # Blender spreads the power over the sphere and a Lambertian surface returns 1 / pi of what it gets.
            holder.data.energy = strength * 4 * np.pi**2
            holder.data.shadow_soft_size = 0.15
            if kind == "SPOT":
                holder.data.spot_size, holder.data.spot_blend = 2 * float(np.arccos(lamps.cosine[chosen][number])), 0.8
            holder.location = tuple(position)
            holder.rotation_mode = "QUATERNION"
            holder.rotation_quaternion = _rotation_to(-direction)


def _rotation_to(direction: np.ndarray) -> tuple[float, float, float, float]:
    """Quaternion (w, x, y, z) that turns +z to a unit vector; a Blender sun shines along its -z."""
    w = 1.0 + float(direction[2])
    if w < 1e-6:
        return 0.0, 1.0, 0.0, 0.0
    values = np.array([w, -direction[1], direction[0], 0.0])
    w, x, y, z = (float(v) for v in values / np.linalg.norm(values))
    return w, x, y, z
