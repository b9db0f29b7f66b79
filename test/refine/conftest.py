"""The shipped prior and its typical shapes, decoded once for all tests of refinement."""

from __future__ import annotations

import pytest

from airside_perception.prior import ObjectPrior
from airside_perception.refine import ShapeLibrary
from airside_perception.resources import share_path


@pytest.fixture(scope="session")
def prior() -> ObjectPrior:
    return ObjectPrior.load(share_path("engines/prior.safetensors"))


@pytest.fixture(scope="session")
def library(prior: ObjectPrior) -> ShapeLibrary:
    return ShapeLibrary(prior)
