"""Object classes and semantic labels that every room of the package shares."""

OBJECT_CLASSES = ("aircraft", "gse", "person")
"""Tracked classes, in the order of every per-class array (detection heads, priors)."""

SEMANTIC_NAMES = ("free", "ground", "aircraft", "gse", "person", "structure", "obstacle")
"""Names of the semantic ids 0..6. Id 0 means sky/unlabelled in images and free in voxels."""

FREE, GROUND, AIRCRAFT, GSE, PERSON, STRUCTURE, OBSTACLE = range(len(SEMANTIC_NAMES))

SEMANTIC_OF_CLASS = {"aircraft": AIRCRAFT, "gse": GSE, "person": PERSON}

SEMANTIC_COLORS = (
    (0, 0, 0),
    (128, 128, 136),
    (66, 133, 244),
    (244, 180, 0),
    (219, 68, 55),
    (121, 85, 72),
    (171, 71, 188),
)
"""RGB (0..255) of each semantic id, the same in overlays, plots and point clouds."""

CLASS_COLORS = {name: SEMANTIC_COLORS[SEMANTIC_OF_CLASS[name]] for name in OBJECT_CLASSES}
