"""Fixtures of the bag tests."""

from types import ModuleType

import bag_messages
import pytest


@pytest.fixture
def bags() -> ModuleType:
    """Functions that build messages and small recordings."""
    return bag_messages
