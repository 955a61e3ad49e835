"""Modules of extras that are not installed have no examples to run."""

from importlib.util import find_spec

collect_ignore = [
    f"src/porescope/{module}.py"
    for module, library in (("maskrcnn", "torchvision"), ("training", "torch"), ("weights", "torch"))
    if find_spec(library) is None
]
