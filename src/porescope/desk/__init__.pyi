from .layers import get_reader
from .window import check_display, make_desk, make_panel, open_desk

__all__ = ["check_display", "get_reader", "make_desk", "make_panel", "open_desk"]
