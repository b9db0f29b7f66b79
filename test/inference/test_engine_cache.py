from dataclasses import replace

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.inference.engine_cache import CacheKey, EngineCache, EngineMismatchError, check_parity

KEY = CacheKey("abc", {"images": ((1, 3), (6, 3), (8, 3))}, "fp16", "Some GPU sm8.7", "10.3.0")


class Builder:
    """Stands in for TensorRT: plans are bytes, a plan that starts with 'bad' does not load."""

    def __init__(self, plan=b"plan"):
        self.plan, self.builds, self.checks = plan, 0, 0

    def build(self):
        self.builds += 1
        return self.plan

    def load(self, plan):
        return None if plan.startswith(b"bad") else f"engine of {plan.decode()}"

    def verify(self, engine):
        self.checks += 1

    def get(self, cache, key=KEY):
        return cache.get(key, self.build, self.load, self.verify)


def test_built_once_then_found(tmp_path):
    cache, builder = EngineCache(tmp_path / "engines"), Builder()
    assert builder.get(cache) == builder.get(cache) == "engine of plan"
    assert (builder.builds, builder.checks) == (1, 1)
    assert [path.name for path in (tmp_path / "engines").iterdir()] == [f"{KEY.digest}.plan"], "no temporary file left"


@pytest.mark.parametrize(
    "change",
    [
        {"model_hash": "abd"},
        {"shapes": {"images": ((1, 3), (6, 3), (9, 3))}},
        {"precision": "fp32"},
        {"device": "Other GPU sm8.7"},
        {"runtime_version": "10.3.1"},
        {"flags": ("STRONGLY_TYPED",)},
    ],
)
def test_any_change_builds_again(tmp_path, change):
    cache, builder = EngineCache(tmp_path), Builder()
    builder.get(cache)
    builder.get(cache, replace(KEY, **change))
    assert builder.builds == 2


def test_a_plan_that_does_not_load_is_rebuilt(tmp_path, caplog):
    cache, builder = EngineCache(tmp_path), Builder()
    cache.plan_path(KEY).write_bytes(b"bad plan")
    assert builder.get(cache) == "engine of plan"
    assert builder.builds == 1
    assert "does not load" in caplog.text
    assert cache.plan_path(KEY).read_bytes() == b"plan"


def test_a_fresh_plan_that_does_not_load_is_an_error(tmp_path):
    with pytest.raises(AirsideError, match="does not load"):
        Builder(b"bad").get(EngineCache(tmp_path))


def test_an_engine_that_answers_wrongly_is_never_kept(tmp_path):
    cache, builder = EngineCache(tmp_path), Builder()

    def refuse(engine):
        raise EngineMismatchError("differs")

    with pytest.raises(EngineMismatchError):
        cache.get(KEY, builder.build, builder.load, refuse)
    assert not cache.plan_path(KEY).exists()


def test_without_a_writable_folder_it_runs_uncached(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache, builder = EngineCache(tmp_path / "file" / "engines"), Builder()
    assert builder.get(cache) == "engine of plan"
    assert "running without a cache" in caplog.text


def test_parity_names_the_output_and_the_difference():
    reference = {"heatmap": np.zeros(100, np.float32)}
    check_parity(reference, {"heatmap": np.full(100, 0.009, np.float32)}, 0.01, 0.0)
    off = {"heatmap": np.where(np.arange(100) < 3, 0.5, 0.0).astype(np.float32)}
    check_parity(reference, off, 0.01, 0.0, allowed_share=0.05)
    with pytest.raises(EngineMismatchError, match=r"'heatmap': 3.00 % of the values differ \(largest 0.5"):
        check_parity(reference, off, 0.01, 0.0)
    with pytest.raises(EngineMismatchError, match="not finite"):
        check_parity(reference, {"heatmap": np.full(100, np.nan, np.float32)}, 0.01, 0.0)
    with pytest.raises(EngineMismatchError, match="expected shape"):
        check_parity(reference, {}, 0.01, 0.0)
