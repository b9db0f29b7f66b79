"""Files are found where they are said to be, and are the ones that were meant."""

from __future__ import annotations

import hashlib

import pytest

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.pipeline import Pipeline
from airside_perception.resources import file_digest, find_file


def test_a_file_with_the_expected_digest_is_taken(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert file_digest(path) == digest
    assert find_file(path, "network.engine", digest.upper()) == path
    assert find_file(path, "network.engine") == path


def test_another_digest_is_refused_with_both(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"other weights")
    with pytest.raises(AirsideError, match=r"network\.engine: .*model\.onnx has SHA-256 [0-9a-f]{64}, expected abc;"):
        find_file(path, "network.engine", "abc")


@pytest.mark.parametrize("option", ["network.engine_sha256", "refine.prior_sha256"])
def test_the_pipeline_refuses_weights_that_are_not_the_ones_named(option):
    with pytest.raises(AirsideError, match=option.removesuffix("_sha256")):
        Pipeline.from_config(load_config(None, {option: "0" * 64}))
