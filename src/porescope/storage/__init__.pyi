from .addresses import Address, is_address, locate, read_address
from .inputs import fetch_input, find_inputs, put_folder
from .lock import hold_lock
from .mirror import Mirror
from .store import describe_content, fetch, has_object, put

__all__ = [
    "Address",
    "Mirror",
    "describe_content",
    "fetch",
    "fetch_input",
    "find_inputs",
    "has_object",
    "hold_lock",
    "is_address",
    "locate",
    "put",
    "put_folder",
    "read_address",
]
