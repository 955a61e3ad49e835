"""Damaged inputs: mutate real and simulated files, run them all, and check that each has its row.

    python benchmarks/mutate.py --count 3000 --seed 0

Bytes are overwritten, cut off, inserted, repeated or cleared, most of them in the header. Each mutated file
must end as a row: processed, refused in one line, or given up at the time limit, and kill no process.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from porescope.files.names import SUFFIXES
from porescope.recipes import Threshold
from porescope.runs import Job, read_run, run_batch
from porescope.simulation import Scene, simulate

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PORESCOPE_DATA", ROOT.parent / "shared" / "data"))
#: Largest file that is mutated [bytes]; part of it that holds headers [bytes]; time limit [s].
LARGEST, HEADER, LIMIT = 3_000_000, 4096, 60.0


def list_sources(folder: Path) -> list[Path]:
    """Real files, and simulated ones that are written into ``folder``."""
    drawn = simulate(Scene(shape=(96, 120), pores=2, max_missing=20), seed=1).micrograph.image
    grey = (drawn / drawn.max() * 255).astype(np.uint8)
    tifffile.imwrite(folder / "plain.tif", drawn.astype(np.float32), resolution=(25, 25))
    stack = np.stack([grey] * 3)
    tifffile.imwrite(folder / "stack.tif", stack, imagej=True, resolution=(25, 25), metadata={"unit": "nm"})
    tifffile.imwrite(folder / "packed.tif", grey, compression="zlib")
    tifffile.imwrite(
        folder / "image.ome.tif", stack, ome=True, metadata={"axes": "TYX", "PhysicalSizeX": 4e-5}
    )
    np.save(folder / "image.npy", drawn)
    for suffix in ("png", "jpg", "bmp"):
        Image.fromarray(grey).save(folder / f"image.{suffix}")
    found = [p for name in ("formats", "cases", "ws2") for p in sorted((DATA / name).glob("*"))]
    real = [p for p in found if p.is_file() and p.suffix.lower() in SUFFIXES and p.stat().st_size <= LARGEST]
    return [*sorted(folder.iterdir()), *real]


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a file's content in one to eight places.

    Parameters
    ----------
    content : bytes
    rng : Generator

    Returns
    -------
    bytes
    """
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        end = min(len(changed), HEADER) if rng.random() < 0.7 else len(changed)
        at, n = int(rng.integers(0, max(end, 1))), int(2 ** rng.integers(0, 8))
        kind = rng.integers(0, 6)
        if kind == 0:
            changed[at : at + n] = rng.bytes(min(n, len(changed) - at))
        elif kind == 1:
            changed[at : at + 4] = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16])).to_bytes(4, "little")
        elif kind == 2 and at:
            del changed[at if rng.random() < 0.3 else -at :]
        elif kind == 3:
            changed[at:at] = rng.bytes(n)
        elif kind == 4:
            changed[at : at + n] = bytes(n)
        else:
            changed[at : at + n] = changed[at : at + n] * 2
    return bytes(changed)


def write_mutants(folder: Path, count: int, seed: int) -> list[Path]:
    """Write mutated files.

    Parameters
    ----------
    folder : Path
    count : int
    seed : int

    Returns
    -------
    list of Path
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as drawn:
        sources = list_sources(Path(drawn))
        contents = [path.read_bytes() for path in sources]
    paths = []
    for i in range(count):
        source = sources[i % len(sources)]
        paths.append(folder / f"m{i:05d}_{source.name}")
        paths[-1].write_bytes(mutate(contents[i % len(sources)], rng))
    return paths


def run_mutants(paths: Sequence[Path], out: Path, workers: int = 2) -> Counter[str]:
    """Run mutated files.

    Parameters
    ----------
    paths : sequence of Path
    out : Path
    workers : int

    Returns
    -------
    Counter
        Number of files by what became of them: "ok", "refused", "given up" at the time limit, where a reader
        hangs; and what must not be: "no row", "killed its process", "more than one line".
    """
    out.mkdir(exist_ok=True)
    job = Job(out, Threshold(), overlays=False, pixel_size=0.04)
    run_batch(paths, job, workers=workers, timeout=LIMIT)
    images = read_run(out).images
    ends: Counter[str] = Counter()
    for path in paths:
        rows = images[images.file == str(path)]
        text = " ".join(rows.message.dropna())
        if rows.empty:
            end = "no row"
        elif "died" in text:
            end = "killed its process"
        elif "took longer" in text or "took more than" in text:
            end = "given up"
        elif "\n" in text or "Traceback" in text:
            end = "more than one line"
        else:
            end = "ok" if (rows.status == "ok").any() else "refused"
        ends[end] += 1
        if end not in ("ok", "refused"):
            print(f"{end}: {path.name}: {text}", file=sys.stderr)
    return ends


def main() -> int:
    """Run from the command line; 1 if a file ended as it must not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable()  # a line for each refusal
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_mutants(Path(folder), arguments.count, arguments.seed)
        ends = run_mutants(paths, Path(folder) / "out")
    print(f"{arguments.count} mutated files in {time.perf_counter() - start:.0f} s: {dict(ends)}")
    return int(bool(set(ends) - {"ok", "refused", "given up"}))


if __name__ == "__main__":
    sys.exit(main())
