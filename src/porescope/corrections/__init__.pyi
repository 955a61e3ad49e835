from .comparing import Edits, compare_labels
from .correcting import Correction, correct_run
from .painting import write_painting
from .reading import read_labels

__all__ = ["Correction", "Edits", "compare_labels", "correct_run", "read_labels", "write_painting"]
