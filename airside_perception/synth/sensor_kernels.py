"""The sensor's own pixel work: gain, vignette, noise, tone curve, saturation, gamma. Warp, CPU."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def develop(
    radiance: wp.array3d(dtype=float),
    gain: wp.vec3,
    vignette: float,
    read_noise: float,
    shot_noise: float,
    saturation: float,
    shoulder: float,
    noise: wp.array3d(dtype=wp.int8),
    noise_offset: wp.vec2i,
    noise_unit: float,
    gamma_table: wp.array(dtype=wp.uint8),
    image: wp.array3d(dtype=wp.uint8),
):
    """One thread a row: on a CPU, one for each pixel would spend its time on arguments."""
    row = wp.tid()
    for column in range(image.shape[1]):
        y = 2.0 * float(row) / float(wp.max(image.shape[0] - 1, 1)) - 1.0
        x = 2.0 * float(column) / float(wp.max(image.shape[1] - 1, 1)) - 1.0
        shading = 1.0 - vignette * (x * x + y * y) / 2.0
        r = (row + noise_offset[0]) % noise.shape[0]
        c = (column + noise_offset[1]) % noise.shape[1]
        color = wp.vec3(0.0, 0.0, 0.0)
        for k in range(3):
            value = radiance[row, column, k] * gain[k] * shading
            sigma = wp.sqrt(read_noise * read_noise + shot_noise * shot_noise * wp.clamp(value, 0.0, 4.0))
            value = wp.max(value + sigma * noise_unit * float(noise[r, c, k]), 0.0)
            # A filmic shoulder keeps sunlit white fuselages from clipping to flat 255.
            color[k] = value * (1.0 + value * shoulder / 4.5) / (1.0 + value * shoulder)
        grey = (color[0] + color[1] + color[2]) / 3.0
        last = gamma_table.shape[0] - 1
        for k in range(3):
            value = wp.clamp(grey + saturation * (color[k] - grey), 0.0, 1.0)
            image[row, column, k] = gamma_table[int(value * float(last))]
