"""Worker processes that start fast and leave each other the cores."""

from __future__ import annotations

import gc
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context


def count_cores() -> int:
    """Number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def choose_workers(n_files: int) -> int:
    """Number of processes for so many files: starting them costs as much as 50 images take."""
    return min(count_cores(), n_files) if n_files > 20 else 1


def prepare_workers(*modules: str) -> None:
    """Let the fork server load what all workers need, while this process goes on with its own."""
    if "forkserver" in get_all_start_methods():
        from multiprocessing import forkserver

        get_context("forkserver").set_forkserver_preload(list(modules))
        forkserver.ensure_running()


def start_pool(workers: int) -> Executor:
    """Start worker processes; a fork server inherits no threads, unlike a fork."""
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(workers, get_context(method), _start_worker)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    # Readers make thousands of small objects a file; walking all modules for them costs a third.
    gc.freeze()
    gc.set_threshold(50_000)
