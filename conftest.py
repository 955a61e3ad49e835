"""Where no examples are looked for: modules that need PyTorch where it is absent; the scripts of the docs."""

import re
from importlib.util import find_spec
from pathlib import Path

_TRAINING = Path(__file__).parent / "src" / "porescope" / "training"
collect_ignore = [
    str(module)
    for module in sorted(_TRAINING.glob("*.py"))
    if find_spec("torch") is None and re.search(r"^(import|from) torch\b", module.read_text("utf-8"), re.M)
]
collect_ignore += ["docs/_build", "docs/reference"]
collect_ignore_glob = ["docs/*.py", "docs/images/*"]
