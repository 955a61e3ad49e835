"""Modules of extras that are not installed have no examples to run."""

from importlib.util import find_spec

collect_ignore = [
    f"src/porescope/training/{module}.py"
    for module, library in (("maskrcnn", "torchvision"), ("trainer", "torch"), ("onnx_file", "torch"))
    if find_spec(library) is None
]
