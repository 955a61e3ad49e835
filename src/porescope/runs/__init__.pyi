from .batch import (
    DISK_FULL,
    TIMEOUT,
    UNWRITABLE,
    Task,
    fail_task,
    iterate_records,
    list_left,
    list_tasks,
    note_image,
    run_batch,
)
from .comparison import compare_runs
from .folder import check_folder, close_run, lock_folder, lock_tables, prepare_folder, replace_run
from .image import ImageResult, census, process_image
from .job import ImageRecord, Job
from .labelled import read_labelled_images
from .parts import Done, list_done, list_names, make_tables, next_number, write_part
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
    "ImageRecord",
    "ImageResult",
    "Job",
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
    "fail_task",
    "iterate_records",
    "list_done",
    "list_left",
    "list_names",
    "list_tasks",
    "list_unnamed",
    "list_warnings",
    "lock_folder",
    "lock_tables",
    "make_tables",
    "next_number",
    "note_image",
    "prepare_folder",
    "process_image",
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
    "write_part",
    "write_record",
    "write_report",
    "write_results",
    "write_tables",
]
