"""The folder of a run, here or in a store. One in a store has a copy of its tables here while it is run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from porescope.files import DETECT_ENDINGS, FILES, PARTS, PICTURES
from porescope.runs import Job
from porescope.storage import Address, Mirror, has_object, hold_lock


@contextmanager
def open_folder(
    job: Job, *, overwrite: bool = False, resume: bool = False
) -> Iterator[tuple[Job, Mirror | None]]:
    """Make the folder of a run available on this machine for the time of a block.

    Parameters
    ----------
    job : Job
        Whose folder may be an `Address`.
    overwrite, resume : bool
        As for `prepare_folder`.

    Yields
    ------
    Job
        With a folder of this machine.
    Mirror or None
        Of a folder in a store: to be pulled before the tables are made; it is pushed at the end.

    Raises
    ------
    ValueError
        If the folder in the store holds results, or another run is writing to it.
    """
    address = job.out
    if not isinstance(address, Address):
        yield job, None
        return
    if overwrite:
        raise ValueError(f"{address}: results in a store are not replaced; give another -o")
    with hold_lock(address), tempfile.TemporaryDirectory(prefix="porescope-") as folder:
        if not resume and has_object(address / FILES["run"]):
            raise ValueError(
                f"{address} holds the results of another run; give another -o, or say --resume to go on "
                "with it"
            )
        home = Path(folder) / "run"
        home.mkdir()
        mirror = Mirror(home, address, _is_wanted, FILES["run"])
        mirror.pull()
        try:
            yield replace(job, out=home, store=address), mirror
        except ValueError as error:  # what is said names the folder
            raise ValueError(str(error).replace(str(home), str(address))) from None


def _is_wanted(name: str) -> bool:
    """Whether a file of a run belongs to its tables, its report or its record, not to one image."""
    kind, _, rest = name.partition("/")
    if rest:
        return "/" not in rest and (kind == PICTURES or (kind in PARTS and rest.startswith("part-")))
    tables = {Path(FILES[kind]).with_suffix(".parquet").name for kind in PARTS}
    return (kind in tables or kind in FILES.values()) and not kind.endswith(DETECT_ENDINGS)
