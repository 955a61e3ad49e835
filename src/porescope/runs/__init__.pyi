from .batch import run_batch
from .folder import prepare_folder, write_run, write_tables
from .image import ImageResult
from .job import Census, Job
from .report import write_report
from .scores import score_results
from .tuning import Goal, read_labelled_images, tune

__all__ = [
    "Census",
    "Goal",
    "ImageResult",
    "Job",
    "prepare_folder",
    "read_labelled_images",
    "run_batch",
    "score_results",
    "tune",
    "write_report",
    "write_run",
    "write_tables",
]
