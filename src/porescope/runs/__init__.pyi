from .batch import DISK_FULL, TIMEOUT, UNWRITABLE, Task, give_up, note_image, process_file, run_batch
from .comparison import compare_runs
from .folder import check_folder, close_run, lock_folder, lock_tables, prepare_folder, replace_run
from .image import ImageResult, census, find_and_measure, save_result
from .job import IMAGE_COLUMNS, ImageRecord, Job
from .labelled import read_labelled_images
from .parts import Done, PartWriter, list_done, list_names, list_outputs, make_tables
from .record import (
    check_results,
    list_inputs,
    list_unnamed,
    place_file,
    read_record,
    write_record,
    write_results,
)
from .run import (
    CleanField,
    Run,
    copy_tables,
    read_candidates,
    read_excess,
    read_fields,
    read_image,
    read_labels,
    read_micrograph,
    read_run,
    read_tables,
)
from .scores import score_results
from .summary import Summary, count_messages, describe_stack, list_warnings, summarize
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
    "copy_tables",
    "count_messages",
    "describe_stack",
    "find_and_measure",
    "give_up",
    "list_done",
    "list_inputs",
    "list_names",
    "list_outputs",
    "list_unnamed",
    "list_warnings",
    "lock_folder",
    "lock_tables",
    "place_file",
    "make_tables",
    "note_image",
    "prepare_folder",
    "process_file",
    "read_candidates",
    "read_excess",
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
    "write_results",
    "write_tables",
]
