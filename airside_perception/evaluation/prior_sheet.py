"""A contact sheet of the object prior: typical objects, random ones, and ways from one to another."""

from __future__ import annotations

import numpy as np
import torch

from airside_perception.explain.drawing import FAINT, TEXT
from airside_perception.explain.object_pictures import Row, object_picture, object_sheet
from airside_perception.prior import ObjectPrior
from airside_perception.prior.paths import plausible_path
from airside_perception.prior.sampling import PriorObject, sample_object, typical_objects


def prior_sheet(prior: ObjectPrior, count: int = 8, seed: int = 0) -> np.ndarray:
    """Draw the sheet.

    Args:
        prior: weights, on the CPU.
        count: objects of each row.
        seed: of the random rows.

    Returns:
        (H, W, 3) uint8 RGB: for every class a row of typical objects, two of random ones and two interpolations.

    Raises:
        AirsideError: a class has no typical objects.
    """
    generator = torch.Generator().manual_seed(seed)
    rows: list[Row] = []
    for name in prior.class_names:
        known = typical_objects(prior, name)
        chosen = np.linspace(0, len(known) - 1, count).round().astype(int)
        rows.append((f"{name}: typical", TEXT, [_picture(prior, name, known[i]) for i in chosen]))
        for _ in range(2):
            drawn = [sample_object(prior, name, generator) for _ in range(count)]
            rows.append((f"{name}: random", FAINT, [_picture(prior, name, each) for each in drawn]))
        for _ in range(2):
            start = int(torch.randint(len(known), (1,), generator=generator))
            end = int(torch.randint(len(known), (1,), generator=generator))
            between = plausible_path(prior, name, known[start], known[end], count)
            rows.append((f"{name}: from one to another", FAINT, [_picture(prior, name, each) for each in between]))
    return object_sheet(rows)


def _picture(prior: ObjectPrior, class_name: str, thing: PriorObject) -> np.ndarray:
    mesh = prior.decode(class_name, thing.shape, thing.texture, "full")
    vertices, normals = mesh.metric(thing.size)
    return object_picture(vertices, mesh.faces, mesh.colors, normals)
