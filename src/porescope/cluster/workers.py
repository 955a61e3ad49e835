"""The Dask cluster: one of this machine, or one that runs already."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from porescope.files import explain_missing
from porescope.processes import count_cores

#: Longest time until the scheduler answers, and until it has a worker [s].
_TIMEOUT = 60.0
#: Number of workers that a chunk may kill before Dask hands it back: the driver splits it at once.
_ALLOWED_FAILURES = 0
#: Number of times that a local cluster is tried to be started.
_STARTS = 3


@contextmanager
def open_cluster(address: str, workers: int | None = None) -> Iterator[Any]:
    """Connect to a Dask cluster for the time of a block.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``; ``local`` starts a cluster of this machine.
    workers : int, optional
        Number of processes of a local cluster; default: one a core.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ValueError
        If the extra is missing, the address is none, or no scheduler or worker answers there.
    """
    if find_spec("distributed") is None:
        raise ValueError(explain_missing("--cluster", "Dask", "cluster"))
    if address == "local":
        with _open_local(workers or count_cores()) as client:
            yield client
        return
    if workers is not None:
        raise ValueError("--workers is for --cluster local; a running cluster has the workers that it has")
    with _connect(address) as client:
        yield client


@contextmanager
def _open_local(workers: int) -> Iterator[Any]:
    """Start a cluster of this machine; its processes ignore Ctrl-C, the main process decides."""
    import dask
    from distributed import Client

    settings = {
        "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
        "distributed.deploy.lost-worker-timeout": "30s",  # a busy machine starts them slowly
    }
    for attempt in range(_STARTS):
        try:
            cluster = _start_local(workers, settings)
            break
        except RuntimeError as error:  # a worker was killed while it started
            if attempt + 1 == _STARTS:
                raise ValueError(
                    f"--cluster local cannot start {workers} workers ({error}); is there memory for them?"
                ) from None
    # Dask looks at the settings again whenever it starts a worker anew.
    with dask.config.set(settings), cluster, Client(cluster) as client:
        yield client


def _start_local(workers: int, settings: dict[str, Any]) -> Any:
    import logging

    import dask
    from distributed import LocalCluster

    # The thread that starts the workers, and they, take over what is blocked here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if _BLOCKS else set()
    try:
        with dask.config.set(settings):
            return LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                dashboard_address=None, memory_limit=0, local_directory=tempfile.gettempdir(),
                silence_logs=logging.CRITICAL + 1,
            )  # fmt: skip
    finally:
        if _BLOCKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


#: Whether signals can be blocked; Windows cannot.
_BLOCKS = hasattr(signal, "pthread_sigmask")


@contextmanager
def _connect(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=_TIMEOUT / 4)
    except ValueError as error:
        raise ValueError(f"--cluster {address} is no address ({error}); say local or tcp://…") from None
    except (OSError, TimeoutError):
        raise ValueError(
            f"--cluster {address}: no Dask scheduler answers there; start one, or say --cluster local"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_TIMEOUT)
        except TimeoutError:
            raise ValueError(f"--cluster {address} has no workers; start some with dask worker") from None
        yield client


def check_workers(client: Any, out: Path | None) -> None:
    """Refuse a cluster whose workers have another porescope, or do not see the folder of the run.

    Parameters
    ----------
    client : distributed.Client
    out : Path, optional
        Absolute; None: it is in a store.

    Raises
    ------
    ValueError
    """
    try:
        told = client.run(_describe_worker, None if out is None else str(out))
    except Exception as error:  # what a worker that lacks the module says is pickled, or not
        raise ValueError(
            f"a worker of the cluster cannot use porescope ({type(error).__name__}: {error}); install "
            f"porescope[cluster] {version('porescope')} there"
        ) from None
    for worker, (known, sees) in told.items():
        if known != version("porescope"):
            raise ValueError(
                f"the worker {worker} has porescope {known}, not {version('porescope')}; install that there"
            )
        if not sees:
            raise ValueError(
                f"the worker {worker} does not see {out}; give a folder that all machines share with -o"
            )


def _describe_worker(out: str | None) -> tuple[str, bool]:
    """Version of porescope on a worker, and whether it sees the folder of the run."""
    return version("porescope"), out is None or Path(out).is_dir()
