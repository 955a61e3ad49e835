"""Build the wheel, install it into an environment of its own, and run the demo there: `make wheel`.

Fails if a file of the package is missing in the wheel, or if the demo finds no pores. Prints the size of the
environment and what weighs most in it.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
#: Number of packages whose size is printed.
_HEAVIEST = 12
#: Names of what Python leaves in a folder, which no wheel holds.
_LEFT_OVER = ("__pycache__", ".DS_Store")


def main() -> None:
    """Do it; an exit code above 0 says that the wheel is not fit for use."""
    wheel = build(ROOT / "dist")
    check_content(wheel)
    with tempfile.TemporaryDirectory(prefix="porescope-wheel-") as name:
        folder = Path(name)
        python = install(wheel, folder / "environment")
        print_sizes(folder / "environment")
        run_demo(python, folder / "empty")
    print(f"{wheel.relative_to(ROOT)} is fit for use")


def build(folder: Path) -> Path:
    """Build the one wheel of a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_content(wheel: Path) -> None:
    """Every file of the package is in the wheel, modules and data alike."""
    files = [p.relative_to(SOURCE) for p in (SOURCE / "porescope").rglob("*") if p.is_file()]
    wanted = {p.as_posix() for p in files if not set(p.parts) & set(_LEFT_OVER)}
    with zipfile.ZipFile(wheel) as content:
        missing = sorted(wanted - set(content.namelist()))
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    data = sorted(name for name in wanted if not name.endswith((".py", ".pyi")))
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {len(wanted)} files; data: {', '.join(data)}")


def install(wheel: Path, environment: Path) -> Path:
    """Install the wheel into a new environment, and give its Python."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", wheel], check=True, env=_own_environment())
    subprocess.run([*pip, "check"], check=True, env=_own_environment())
    return python


def run_demo(python: Path, folder: Path) -> None:
    """Run the demo in an empty folder, and look for its results."""
    folder.mkdir()
    command = [python.with_name("porescope"), "demo", "-o", "demo"]
    subprocess.run(command, check=True, cwd=folder, env=_own_environment())
    with (folder / "demo" / "pores.csv").open(encoding="utf-8", newline="") as file:
        n_pores = len(list(csv.DictReader(file)))
    if not n_pores or not (folder / "demo" / "report.html").is_file():
        sys.exit(f"the demo found {n_pores} pores, or wrote no report")


def print_sizes(environment: Path) -> None:
    """Print the size of an environment, and of the packages that weigh most."""
    (packages,) = environment.rglob("site-packages")
    sizes = {
        package.name: sum(
            Path(file.locate()).stat().st_size for file in package.files or [] if file.locate().is_file()
        )
        for package in distributions(path=[str(packages)])
    }
    heaviest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:_HEAVIEST]
    print(f"installed: {sum(sizes.values()) / 1e6:.0f} MB in {len(sizes)} packages; of these in MB:")
    print(", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in heaviest))


def _own_environment() -> dict[str, str]:
    """The environment variables, without those that lead to other packages or data."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "PORESCOPE_DATA")}


if __name__ == "__main__":
    main()
