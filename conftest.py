"""Skip the docstring examples of modules whose optional library, PyTorch, is not installed."""

import re
from importlib.util import find_spec
from pathlib import Path

_TRAINING = Path(__file__).parent / "src" / "porescope" / "training"
collect_ignore = [
    str(module)
    for module in sorted(_TRAINING.glob("*.py"))
    if find_spec("torch") is None and re.search(r"^(import|from) torch\b", module.read_text("utf-8"), re.M)
]
