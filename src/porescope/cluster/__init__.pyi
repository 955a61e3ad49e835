from .driver import process_files, run_on_cluster
from .folder import open_folder
from .plan import EFFICIENCY, STAGES, Plan, measure_plan
from .workers import check_workers, open_cluster

__all__ = [
    "EFFICIENCY",
    "Plan",
    "STAGES",
    "check_workers",
    "measure_plan",
    "open_cluster",
    "open_folder",
    "process_files",
    "run_on_cluster",
]
