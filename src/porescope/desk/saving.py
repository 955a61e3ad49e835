"""What was corrected at the desk, saved as a run of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from porescope.corrections import compare_labels, correct_run
from porescope.desk.session import Place, Session
from porescope.files import ENDINGS, hash_file, save_labels, write_whole
from porescope.report import write_report
from porescope.runs import (
    PartWriter,
    close_run,
    lock_folder,
    prepare_folder,
    replace_run,
    save_result,
    write_record,
)


def save_corrections(
    session: Session,
    on_progress: Callable[[float], None] = lambda share: None,
    command: Sequence[str] = ("porescope", "label"),
) -> tuple[Path, list[str]]:
    """Save the images that were looked at as a run, and the corrected ones as another one.

    Parameters
    ----------
    session : Session
    on_progress : callable
        Called with the share that is done; what it raises ends the work.
    command : sequence of str
        The command line, for the record.

    Returns
    -------
    Path
        Folder of the corrected run; of the run as it was found if nothing was edited.
    list of str
        What was edited in each image, and what is doubtful.

    Raises
    ------
    ValueError
        If no image was looked at, or a folder cannot be written.
    """
    gone = {file for file, _ in session.seen if not session.paths[file].is_file()}
    places = sorted(place for place in session.seen if place.file not in gone)
    edited = {place: labels for place, labels in session.edited.items() if place.file not in gone}
    left_out = [f"{session.paths[file]} is not there any more and was left out" for file in sorted(gone)]
    if not places:
        raise ValueError("; ".join(["nothing to save: the pores of no image were looked for yet", *left_out]))
    found, given, corrected = (session.own_folder(name) for name in ("found", "edited", "corrected"))
    _save_found(session, found, places, command, on_progress)
    for path in given.glob(f"*{ENDINGS['labels']}"):  # of an earlier save of this session
        path.unlink()
    _write_labels(session, given, edited)
    if not any(compare_labels(session.results[p].labels, labels).any for p, labels in edited.items()):
        return found, ["nothing was edited: this is the run as it was found", *left_out]
    done = correct_run(found, given, corrected, command=command, overwrite=True)
    session.saved = edited
    return corrected, [*done.lines, *done.warnings, *left_out]


def rescue_edits(session: Session) -> Path | None:
    """Write the label images that were edited and not saved to a folder of their own.

    Where the session's folder cannot be written, that is one of the system's temporary folders.

    Parameters
    ----------
    session : Session

    Returns
    -------
    Path or None
        None if there are none.
    """
    saved = session.saved
    lost = {
        place: labels
        for place, labels in session.edited.items()
        if place not in saved or not np.array_equal(saved[place], labels)
    }
    if not lost:
        return None
    folder = session.free_folder("unsaved")
    try:
        _write_labels(session, folder, lost)
    except OSError:  # work by hand is worth a place elsewhere
        folder = Path(tempfile.mkdtemp(prefix="porescope-unsaved-"))
        _write_labels(session, folder, lost)
    return folder


def _save_found(
    session: Session,
    out: Path,
    places: Sequence[Place],
    command: Sequence[str],
    on_progress: Callable[[float], None],
) -> None:
    """Write what was found in the images that were looked at as a run."""
    started, files = datetime.now(UTC), sorted({place.file for place in places})
    paths = [session.paths[file] for file in files]
    hashes = {file: hash_file(session.paths[file]) for file in files}
    with lock_folder(out):
        job = prepare_folder(replace(session.job, out=out), paths, overwrite=True)
        write_record(job, paths, command, started, "running")
        writer = PartWriter(job.out)
        for done, place in enumerate(places):
            result = session.results.get(place) or session.find(place)
            n_images = len(session.open(place.file))
            writer.add(save_result(result, hashes[place.file], job, n_images))
            on_progress((done + 1) / (len(places) + 1))
        writer.close_part()
        close_run(job, paths, command, started, "finished", write_report)
        replace_run(out)


def _write_labels(session: Session, folder: Path, edited: Mapping[Place, NDArray[np.int32]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, labels in edited.items():
        micrograph = session.read(place)
        with write_whole(folder / f"{micrograph.stem}{ENDINGS['labels']}") as part:
            save_labels(part, labels, micrograph.pixel_size)
