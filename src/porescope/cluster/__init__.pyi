from .driver import run_on_cluster
from .folder import open_folder
from .workers import check_workers, open_cluster

__all__ = [
    "check_workers",
    "open_cluster",
    "open_folder",
    "run_on_cluster",
]
