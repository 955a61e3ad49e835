from .answers import Answer, answer_recipe
from .background import Cancelled, Worker
from .layers import get_reader, read_layers
from .saving import rescue_edits, save_corrections
from .session import Measured, Place, Session, measure_edited
from .window import check_display, make_desk, make_panel, open_desk

__all__ = [
    "Answer",
    "Cancelled",
    "Measured",
    "Place",
    "Session",
    "Worker",
    "answer_recipe",
    "check_display",
    "get_reader",
    "make_desk",
    "make_panel",
    "measure_edited",
    "open_desk",
    "read_layers",
    "rescue_edits",
    "save_corrections",
]
