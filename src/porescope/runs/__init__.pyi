from .batch import DISK_FULL, UNWRITABLE, run_batch
from .comparison import compare_runs
from .folder import check_folder, close_run, lock_folder, lock_tables, prepare_folder, replace_run
from .image import ImageResult, census, find_and_measure, save_result
from .job import ImageRecord, Job
from .labelled import LabelledImages, join_labelled, read_labelled_images
from .parts import PartWriter, list_done, list_names, list_outputs
from .record import (
    check_results,
    list_unnamed,
    place_file,
    read_record,
    write_record,
    write_results,
)
from .report import write_report
from .run import (
    CleanField,
    Run,
    copy_tables,
    read_candidates,
    read_fields,
    read_image,
    read_labels,
    read_micrograph,
    read_run,
    read_tables,
)
from .scores import score_results
from .summary import Summary, describe_stack, list_warnings, summarize
from .tables import refresh_tables, write_tables
from .tuning import Goal, tune

__all__ = [
    "CleanField",
    "DISK_FULL",
    "Goal",
    "ImageRecord",
    "ImageResult",
    "Job",
    "LabelledImages",
    "PartWriter",
    "Run",
    "Summary",
    "UNWRITABLE",
    "census",
    "check_folder",
    "check_results",
    "close_run",
    "compare_runs",
    "copy_tables",
    "describe_stack",
    "find_and_measure",
    "join_labelled",
    "list_done",
    "list_names",
    "list_outputs",
    "list_unnamed",
    "list_warnings",
    "lock_folder",
    "lock_tables",
    "place_file",
    "prepare_folder",
    "read_candidates",
    "read_fields",
    "read_image",
    "read_labelled_images",
    "read_labels",
    "read_micrograph",
    "read_record",
    "read_run",
    "read_tables",
    "refresh_tables",
    "replace_run",
    "run_batch",
    "save_result",
    "score_results",
    "summarize",
    "tune",
    "write_record",
    "write_report",
    "write_results",
    "write_tables",
]
