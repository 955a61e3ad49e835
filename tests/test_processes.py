from __future__ import annotations

import os

import pytest

from porescope import processes
from porescope.processes import choose_workers, count_cores, start_pool


def test_many_files_get_a_process_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count_cores", lambda: 4)
    assert [choose_workers(n) for n in (1, 20, 21, 1000)] == [1, 1, 4, 4]
    monkeypatch.setattr(processes, "count_cores", lambda: 64)
    assert choose_workers(30) == 30


def test_cores_are_counted() -> None:
    assert 1 <= count_cores() <= (os.cpu_count() or 1)


def test_a_worker_is_another_process() -> None:
    with start_pool(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(sum, [1, 2]).result() == 3
