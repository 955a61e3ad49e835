from .driver import run_on_cluster
from .workers import check_workers, open_cluster

__all__ = [
    "check_workers",
    "open_cluster",
    "run_on_cluster",
]
