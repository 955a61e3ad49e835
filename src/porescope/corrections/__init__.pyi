from .comparing import Edits, compare_labels
from .correcting import Correction, correct_run
from .painting import write_painting
from .reading import read_labels
from .rows import join_rows

__all__ = [
    "Correction",
    "Edits",
    "compare_labels",
    "correct_run",
    "join_rows",
    "read_labels",
    "write_painting",
]
