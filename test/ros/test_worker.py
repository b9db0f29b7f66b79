"""The worker thread: newest item first, errors survived, orderly end."""

from __future__ import annotations

import threading

from airside_perception.ros.worker import LatestOnlyWorker


class Gate:
    """Lets the test hold the worker inside an item."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.errors: list[Exception] = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def process(self, item: object) -> None:
        self.entered.set()
        assert self.open.wait(5.0)
        if isinstance(item, Exception):
            raise item
        self.done.append(item)


def test_waiting_items_are_replaced_by_newer_ones_and_counted():
    gate = Gate()
    worker = LatestOnlyWorker(gate.process, gate.errors.append)
    assert worker.offer(1) == 0
    assert gate.entered.wait(5.0)
    assert [worker.offer(item) for item in (2, 3, 4)] == [0, 1, 1]
    gate.open.set()
    assert worker.wait_idle(5.0)
    assert gate.done == [1, 4]
    assert worker.stop()


def test_an_exception_is_reported_and_the_next_item_processed():
    gate = Gate()
    gate.open.set()
    worker = LatestOnlyWorker(gate.process, gate.errors.append)
    worker.offer(MemoryError("engine"))
    assert worker.wait_idle(5.0)
    worker.offer("next")
    assert worker.wait_idle(5.0)
    assert gate.done == ["next"]
    assert [type(error) for error in gate.errors] == [MemoryError]
    assert worker.stop()


def test_stop_drops_what_waits_and_lets_the_running_item_end():
    gate = Gate()
    worker = LatestOnlyWorker(gate.process, gate.errors.append)
    worker.offer("running")
    assert gate.entered.wait(5.0)
    worker.offer("waiting")
    assert not worker.stop(timeout_s=0.05)
    gate.open.set()
    assert worker.stop(5.0)
    assert gate.done == ["running"]
