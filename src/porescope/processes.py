"""Worker processes: how many, fast to start, one core each."""

from __future__ import annotations

import gc
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context

#: Most files that are processed without workers, whose start would take longer than they save.
_FEW_FILES = 20


def count_cores() -> int:
    """Count the cores that this process may use.

    Returns
    -------
    int
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def choose_workers(n_files: int) -> int:
    """Choose the number of processes for a batch of files.

    Parameters
    ----------
    n_files : int

    Returns
    -------
    int
        1 up to 20 files, else the number of cores.
    """
    return min(count_cores(), n_files) if n_files > _FEW_FILES else 1


def prepare_workers(*modules: str) -> None:
    """Start the fork server and let it import modules that all workers need, in the background.

    Does nothing where there is no fork server (Windows).

    Parameters
    ----------
    *modules : str
        Names of the modules.
    """
    if "forkserver" in get_all_start_methods():
        from multiprocessing import forkserver

        get_context("forkserver").set_forkserver_preload(list(modules))
        forkserver.ensure_running()


def start_pool(workers: int) -> Executor:
    """Start worker processes, each of which uses one core.

    Parameters
    ----------
    workers : int
        Number of processes.

    Returns
    -------
    Executor
    """
    # A fork would inherit threads, and their locks, that a fork server has not.
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(workers, get_context(method), _start_worker)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    # File readers create thousands of small objects; garbage collection over all modules took a third
    # of the time.
    gc.freeze()
    gc.set_threshold(50_000)
