from .batch import DISK_FULL, TIMEOUT, UNWRITABLE, Task, give_up, note_image, process_file, run_batch
from .comparison import compare_runs
from .folder import check_folder, close_run, lock_folder, lock_tables, prepare_folder, replace_run
from .image import ImageResult, census
from .job import IMAGE_COLUMNS, ImageRecord, Job
from .labelled import read_labelled_images
from .parts import Done, PartWriter, list_done, list_names, make_tables
from .record import check_results, list_unnamed, read_record, write_record, write_results
from .report import write_report
from .run import CleanField, Run, read_candidates, read_fields, read_run
from .scores import score_results
from .summary import Summary, describe_stack, list_warnings, summarize
from .tables import refresh_tables, write_tables
from .tuning import Goal, tune

__all__ = [
    "CleanField",
    "DISK_FULL",
    "Done",
    "Goal",
    "IMAGE_COLUMNS",
    "ImageRecord",
    "ImageResult",
    "Job",
    "PartWriter",
    "Run",
    "Summary",
    "TIMEOUT",
    "Task",
    "UNWRITABLE",
    "census",
    "check_folder",
    "check_results",
    "close_run",
    "compare_runs",
    "describe_stack",
    "give_up",
    "list_done",
    "list_names",
    "list_unnamed",
    "list_warnings",
    "lock_folder",
    "lock_tables",
    "make_tables",
    "note_image",
    "prepare_folder",
    "process_file",
    "read_candidates",
    "read_fields",
    "read_labelled_images",
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
