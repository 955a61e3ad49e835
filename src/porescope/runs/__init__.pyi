from .batch import DISK_FULL, UNWRITABLE, run_batch
from .comparison import compare_runs
from .folder import check_folder, close_run, lock_folder, lock_tables, prepare_folder, replace_run
from .image import ImageResult, census
from .job import Job
from .labelled import read_labelled_images
from .parts import list_done, list_names
from .record import check_results, list_unnamed, read_record, write_record, write_results
from .report import write_report
from .run import CleanField, Run, read_candidates, read_fields, read_labels, read_run
from .scores import score_results
from .summary import Summary, describe_stack, list_warnings, summarize
from .tables import refresh_tables, write_tables
from .tuning import Goal, tune

__all__ = [
    "CleanField",
    "DISK_FULL",
    "Goal",
    "ImageResult",
    "Job",
    "Run",
    "Summary",
    "UNWRITABLE",
    "census",
    "check_folder",
    "check_results",
    "close_run",
    "compare_runs",
    "describe_stack",
    "list_done",
    "list_names",
    "list_unnamed",
    "list_warnings",
    "lock_folder",
    "lock_tables",
    "prepare_folder",
    "read_candidates",
    "read_fields",
    "read_labelled_images",
    "read_labels",
    "read_record",
    "read_run",
    "refresh_tables",
    "replace_run",
    "run_batch",
    "score_results",
    "summarize",
    "tune",
    "write_record",
    "write_report",
    "write_results",
    "write_tables",
]
