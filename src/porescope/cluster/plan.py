"""What a run of any number of images would take: measured on a sample, on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.detection import Detector
from porescope.files import PARTS, hash_file
from porescope.labels import Detection
from porescope.lattice import Lattice, find_lattice
from porescope.measurement import is_counted
from porescope.micrograph import Micrograph
from porescope.reading import open_images
from porescope.runs import ImageRecord, Job, find_and_measure, make_tables, save_result, write_part

#: The stages of an image, in their order.
STAGES = ("read", "lattice", "detect", "measure", "write")
#: Share of the cores' time that is taken to be spent on images: between the pool's and the cluster's, which
#: docs/cluster.md has.
EFFICIENCY = 0.85
#: Half the width of a 95 % interval, in standard errors.
_Z = 1.96


class Plan(NamedTuple):
    """What the images of a sample took."""

    seconds: NDArray[np.float64]  # (images, stages), of one core
    waited: NDArray[np.float64]  # (images,), seconds spent on waiting for the disk and for other programs
    read_bytes: NDArray[np.float64]  # (images,), share of their files
    written_bytes: NDArray[np.float64]  # (images,), without the tables
    table_bytes: float  # of the tables, an image
    pores: NDArray[np.float64]  # (images,), those that count for the density
    methods: list[str]  # by which the pores were found
    failed: list[str]  # messages of the images that could not be processed

    def estimate_hours(self, n_images: float) -> tuple[float, float, float]:
        """Estimate the time of many images on one core.

        Parameters
        ----------
        n_images : float

        Returns
        -------
        hours, low, high : float
            With the 95 % interval of the mean of the sample; NaN from one image.
        """
        total = self.seconds.sum(axis=1)
        error = _Z * total.std(ddof=1) / len(total) ** 0.5 if len(total) > 1 else np.nan
        mean = total.mean()
        hours = n_images / 3600
        return hours * mean, hours * max(mean - error, 0), hours * (mean + error)

    @property
    def dispersion(self) -> float:
        """Variance of the pores of an image over their mean: 1 if they are spread at random, at least 1."""
        if len(self.pores) < 2 or not self.pores.any():
            return 1.0
        return max(1.0, float(self.pores.var(ddof=1) / self.pores.mean()))

    def count_needed(self, error: float) -> float:
        """Count the images that suffice for the density of pores.

        The number of pores in n images has the mean n·m and the variance n·m·D with the dispersion D, so
        that its relative error at 95 % is 1.96·√(D / (n·m)).

        Parameters
        ----------
        error : float
            Half the width of the 95 % interval, relative to the density.

        Returns
        -------
        float
            Infinite if the sample has no pore.

        Examples
        --------
        >>> import numpy as np
        >>> one = np.ones((4, 5))
        >>> plan = Plan(one, one[:, 0], one[:, 0], one[:, 0], 1.0, np.array([2.0, 2, 2, 2]), ["network"], [])
        >>> round(plan.count_needed(0.05))
        768
        """
        mean = float(self.pores.mean())
        return (_Z / error) ** 2 * self.dispersion / mean if mean else np.inf


@dataclass(frozen=True)
class _Timed:
    """A detector that notes how long it takes."""

    detector: Detector
    times: list[float]

    @property
    def method(self) -> str:
        return self.detector.method

    @property
    def needs_lattice(self) -> bool:
        return self.detector.needs_lattice

    def describe(self) -> dict[str, Any]:
        return self.detector.describe()

    def find(self, micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> Detection:
        start = time.process_time()
        found = self.detector.find(micrograph, lattice, material)
        self.times.append(time.process_time() - start)
        return found


def measure_plan(
    paths: Sequence[Path],
    job: Job,
    sample: int = 20,
    on_progress: Callable[[int, int], None] = lambda ended, total: None,
) -> Plan:
    """Process a sample of files in this process, on one core, and note what each stage takes.

    Parameters
    ----------
    paths : sequence of Path
    job : Job
        Its folder is not used.
    sample : int
        Number of files, evenly spread over ``paths``; the first image of each is taken.
    on_progress : callable
        Called with the numbers of files that are done and that are taken.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If no file of the sample can be processed.
    """
    import cv2

    cv2.setNumThreads(1)
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, sample).round().astype(int))]
    rows: list[tuple[list[float], float, float, float, int, ImageRecord]] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="porescope-") as folder:
        for i, path in enumerate(chosen):
            out = Path(folder) / str(i)
            out.mkdir()
            try:
                if not rows:  # what the first one loads would count as its time
                    _measure_file(path, replace(job, out=out))
                rows.append(_measure_file(path, replace(job, out=out)))
            except (ValueError, OSError) as error:
                failed.append(str(error))
            on_progress(i + 1, len(chosen))
        if not rows:
            raise ValueError(f"no file of the sample can be processed: {failed[0]}")
        table_bytes = _measure_tables([record for *_, record in rows], Path(folder) / "tables")
    methods = sorted({str(record.row["method"]) for *_, record in rows})
    seconds, waited, read, written, pores = (
        np.array([row[k] for row in rows], dtype=float) for k in range(5)
    )
    return Plan(seconds, waited, read, written, table_bytes, pores, methods, failed)


def _measure_file(path: Path, job: Job) -> tuple[list[float], float, float, float, int, ImageRecord]:
    """Of a file's first image: seconds of each stage, waited, bytes read, written, pores, its record."""
    clock, wall = time.process_time, time.perf_counter()
    start = clock()
    sha256 = hash_file(path)
    images = open_images(path, pixel_size=job.pixel_size, modality=job.modality, signal=job.signal)
    micrograph = images.read(0)
    read = clock() - start
    start = clock()
    if job.wants_lattice:
        find_lattice(micrograph)
    lattice = clock() - start
    found: list[float] = []
    timed = replace(job, detector=_Timed(job.detector, found))
    start = clock()
    result = find_and_measure(micrograph, timed)
    measured = clock()
    record = save_result(result, sha256, timed)
    write = clock() - measured
    measure = max(measured - start - found[0] - lattice, 0.0)
    written = sum(file.stat().st_size for file in job.out.rglob("*") if file.is_file())
    stages = [read, lattice, found[0], measure, write]
    waited = max(time.perf_counter() - wall - sum(stages) - lattice, 0.0)
    pores = int(is_counted(result.labels, result.columns["label"], result.micrograph.field).sum())
    return stages, waited, path.stat().st_size / len(images), float(written), pores, record


def _measure_tables(records: Sequence[ImageRecord], out: Path) -> float:
    """Bytes of the tables, as CSV and Parquet, an image; without what a file of no image takes."""
    for kind in PARTS:
        (out / kind).mkdir(parents=True)
    sizes = []
    for name, some in (("000000", records), ("000001", ())):
        tables = make_tables(some)
        write_part(out, name, tables)
        parquet = sum(path.stat().st_size for path in out.rglob(f"part-{name}.parquet"))
        sizes.append(parquet + sum(len(t.to_csv(index=False, float_format="%.6g").encode()) for t in tables))
    return max(sizes[0] - sizes[1], 0) / len(records)
