"""The prior that all drawing tests share."""

import pytest
from explain_scenes import blob_prior

from airside_perception.prior import ObjectPrior


@pytest.fixture(scope="session")
def prior() -> ObjectPrior:
    return blob_prior()
