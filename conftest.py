"""Where no examples are looked for: modules whose extra is absent; the scripts of the docs."""

import re
from importlib.util import find_spec
from pathlib import Path


def _imports(module: Path, package: str) -> bool:
    return bool(re.search(rf"^(import|from) {package}\b", module.read_text("utf-8"), re.M))


_SOURCE = Path(__file__).parent / "src" / "porescope"
collect_ignore = [
    str(module)
    for wing, package in (("training", "torch"), ("desk", "qtpy"))
    for module in sorted((_SOURCE / wing).glob("*.py"))
    if find_spec(package) is None and _imports(module, package)
]
collect_ignore += ["docs/_build", "docs/reference"]
collect_ignore_glob = ["docs/*.py", "docs/images/*"]
