"""What the page shows of a watch: totals, latest images, rate, lag, alarms; as JSON, written whole."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import ENDINGS, FILES, escape_hidden, printable, write_whole
from porescope.live.alarms import Alarm
from porescope.runs import ImageRecord, Run

#: Numbers of images, failures, alarms and remarks that are listed; of images whose pores are plotted.
_LATEST, _FAILURES, _ALARMS, _REMARKS, _PLOTTED = 12, 20, 20, 20, 120
#: Time over which rate and lag are averaged [s].
_WINDOW = 60.0
#: Edges of the bins in which diameters are counted, each 0.5 % wide: the median is as exact [nm].
_EDGES = np.exp(np.arange(math.log(0.01), math.log(1e4), 0.005))


class _Image(NamedTuple):
    """What the totals keep of one image."""

    ok: bool
    pores: int
    counted: float  # pores that count for the density
    area_um2: float
    diameters: bytes  # float32 [nm]: an array of each of a million images would take 100 bytes more
    content: bytes  # hash of the file; empty if it is not known


class Board:
    """Collects what the page shows, and writes it.

    Parameters
    ----------
    folder : Path
        That is watched.
    out : Path
        Of the run.
    alarms : iterable of Alarm
    facts : mapping
        What else the page says: version, method.
    overlays : bool
        Whether there is an overlay of each image.
    """

    def __init__(
        self, folder: Path, out: Path, alarms: Iterable[Alarm], facts: Mapping[str, str], overlays: bool
    ) -> None:
        self.folder, self.out, self.alarms, self.facts = folder, out, list(alarms), dict(facts)
        self.overlays = overlays
        self.state = "watching"
        self.n_alarms = 0
        self._images: dict[tuple[str, int], _Image] = {}  # by name and frame
        self._totals = {"images": 0, "failed": 0, "pores": 0, "counted": 0.0, "area_um2": 0.0}
        self._bins = np.zeros(len(_EDGES) + 1, np.int64)
        self._latest: deque[dict[str, Any]] = deque(maxlen=_LATEST)
        self._failures: dict[tuple[str, int], dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=_ALARMS)
        self._remarks: deque[dict[str, Any]] = deque(maxlen=_REMARKS)
        self._plotted: deque[int] = deque(maxlen=_PLOTTED)
        self._unsaved: list[tuple[float, dict[str, Any]]] = []  # last change of the file [s], and its entry
        self._lags: deque[tuple[float, float]] = deque()  # time of writing, lag [s]
        self._started = time.monotonic()

    def load(self, run: Run) -> None:
        """Count what an earlier start of the run has done.

        Parameters
        ----------
        run : Run
        """
        diameters = {
            key: rows.to_numpy(np.float32)
            for key, rows in run.pores.groupby(["image", "frame"]).equivalent_diameter_nm
        }
        for row in run.images.to_dict("records"):
            key = (row["image"], row["frame"])
            self._count(row, _make_image(row, diameters.get(key, np.zeros(0, np.float32))))
            if row["status"] != "ok":
                self._list_failure(key, row)

    def add(self, record: ImageRecord, changed: float) -> None:
        """Take up what came of one image, in place of what came of it before.

        Parameters
        ----------
        record : ImageRecord
        changed : float
            Time of the last change of its file [s], as `time.monotonic` counts.
        """
        row = record.row
        key = (row["image"], row["frame"])
        diameters = np.asarray(record.pores.get("equivalent_diameter_nm", ()), np.float32)
        image = _make_image(row, diameters)
        self._count(row, image)
        self._failures.pop(key, None)
        if image.ok:
            self._plotted.append(image.pores)
        else:
            self._list_failure(key, row)
        name = row["image"] if record.n_images == 1 else f"{row['image']} [{row['frame']}]"
        entry = {
            "image": escape_hidden(name),
            "time": _now(),
            "status": row["status"],
            "message": escape_hidden(str(row.get("message") or "")),
            "pores": image.pores,
            "median_diameter_nm": _round(float(np.median(diameters)) if len(diameters) else None),
            "overlay": next((o for o in record.outputs if o.endswith(ENDINGS["overlay"])), None),
            "sha256": row.get("sha256"),
            "alarm": False,
            "lag_s": None,
        }
        self._latest.appendleft(entry)
        if image.ok:  # what cannot be read was tried for a while
            self._unsaved.append((changed, entry))

    def raise_alarm(self, alarm: Alarm, record: ImageRecord, labels: list[int], values: list[float]) -> str:
        """Note that an alarm was met by an image; call it after `add`.

        Parameters
        ----------
        alarm : Alarm
        record : ImageRecord
        labels, values : list
            As `Alarm.find` returns them.

        Returns
        -------
        str
            What was found, in words.
        """
        self.n_alarms += 1
        extreme = min(values) if alarm.sign.startswith("<") else max(values)
        found = f"{alarm.column} = {extreme:.4g}, {alarm}"
        pores = f"{len(labels)} pore{'s' * (len(labels) != 1)}, " if labels else ""
        entry = self._latest[0]
        entry["alarm"] = True
        self._events.appendleft(
            {"number": self.n_alarms, "image": entry["image"], "time": _now(), "text": f"{pores}{found}",
             "overlay": entry["overlay"]}
        )  # fmt: skip
        return f"{pores}{found}"

    def remark(self, text: str) -> None:
        """Note what happened to a file, or to the watch.

        Parameters
        ----------
        text : str
        """
        self._remarks.appendleft({"time": _now(), "text": escape_hidden(text)})

    def _count(self, row: Mapping[Any, Any], image: _Image) -> None:
        """Count an image in place of what it was; of a stack that has changed all frames are dropped."""
        name, frame = row["image"], row["frame"]
        before = self._images.get((name, frame))
        dropped = [frame] if before else []
        if before and before.content != image.content and before.content and image.content:
            dropped = [frame, *(k for k in _count_frames(self._images, name) if k != frame)]
        for k in dropped:
            self._sum_up(self._images.pop((name, k)), -1)
        self._images[name, frame] = image
        self._sum_up(image, 1)

    def _sum_up(self, image: _Image, sign: int) -> None:
        self._totals["images"] += sign * image.ok
        self._totals["failed"] += sign * (not image.ok)
        self._totals["pores"] += sign * image.pores
        self._totals["counted"] += sign * image.counted
        self._totals["area_um2"] += sign * image.area_um2
        np.add.at(self._bins, np.searchsorted(_EDGES, np.frombuffer(image.diameters, np.float32)), sign)

    def _list_failure(self, key: tuple[str, int], row: Mapping[Any, Any]) -> None:
        message = escape_hidden(str(row["message"]))
        self._failures[key] = {"image": escape_hidden(str(row["image"])), "time": _now(), "message": message}
        if len(self._failures) > _FAILURES:
            del self._failures[next(iter(self._failures))]

    def _find_median(self) -> float | None:
        """Median diameter of all pores [nm], within 0.25 %."""
        below = np.cumsum(self._bins)
        if not below[-1]:
            return None
        n = int(below[-1])
        middle = np.searchsorted(below, [(n + 1) // 2, n // 2 + 1])
        return float(_EDGES[np.minimum(middle, len(_EDGES) - 1)].mean()) / math.exp(0.0025)

    def describe(self, waiting: int, growing: Iterable[Path]) -> dict[str, Any]:
        """Describe the watch as it is now: the content of ``live.json``.

        Parameters
        ----------
        waiting : int
            Number of files that are complete and not yet processed.
        growing : iterable of Path
            Files that are waited for.

        Returns
        -------
        dict
        """
        now = time.monotonic()
        while self._lags and now - self._lags[0][0] > _WINDOW:
            self._lags.popleft()
        lags = [lag for _, lag in self._lags]
        area = self._totals["area_um2"]
        density = self._totals["counted"] / area if area > 0 else None
        return {
            **self.facts,
            "state": self.state,
            "updated": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "folder": escape_hidden(printable(self.folder)),
            "images": self._totals["images"],
            "failed": self._totals["failed"],
            "pores": self._totals["pores"],
            "median_diameter_nm": _round(self._find_median()),
            "density_per_um2": _round(density),
            "area_um2": _round(area),
            "rate_per_s": _round(len(lags) / min(_WINDOW, max(now - self._started, 1.0))),
            "lag_s": _round(lags[-1] if lags else None),
            "longest_lag_s": _round(max(lags, default=None)),
            "waiting": waiting,
            "growing": [escape_hidden(printable(path.name)) for path in list(growing)[:_REMARKS]],
            "alarms": {
                "rules": [str(alarm) for alarm in self.alarms],
                "raised": self.n_alarms,
                "latest": list(self._events),
            },
            "latest": list(self._latest),
            "failures": list(self._failures.values())[::-1],
            "remarks": list(self._remarks),
            "pores_of_latest": list(self._plotted),
        }

    def save(self, waiting: int, growing: Iterable[Path]) -> None:
        """Write the page's data, and the page if it is not there.

        Parameters
        ----------
        waiting, growing
            As for `describe`.
        """
        now = time.monotonic()
        for changed, entry in self._unsaved:
            entry["lag_s"] = _round(now - changed)
            self._lags.append((now, now - changed))
        self._unsaved = []
        text = json.dumps(self.describe(waiting, growing), ensure_ascii=True, allow_nan=False)
        page = self.out / FILES["live"]
        if not page.exists():
            with write_whole(page) as part:
                part.write_bytes((files("porescope.live") / "live.html").read_bytes())
        # A page that is opened as a file may load scripts and no data.
        for kind, content in (("live_script", f"show({text})\n"), ("live_data", text)):
            with write_whole(self.out / FILES[kind]) as part:
                part.write_text(content, encoding="utf-8")


def _make_image(row: Mapping[Any, Any], diameters: NDArray[np.float32]) -> _Image:
    sha256 = row["sha256"]
    content = bytes.fromhex(sha256)[:8] if isinstance(sha256, str) else b""
    if row["status"] != "ok":
        return _Image(False, 0, 0.0, 0.0, b"", content)
    field = float(row["field_fraction"])
    area = float(row["height_px"]) * float(row["width_px"]) * float(row["pixel_size_nm"]) ** 2 / 1e6
    area *= 1.0 if math.isnan(field) else field
    density = float(row["density_per_um2"])
    counted = 0.0 if math.isnan(density) else density * area
    return _Image(True, int(row["n_pores"]), counted, area, diameters.tobytes(), content)


def _count_frames(images: Mapping[tuple[str, int], _Image], name: str) -> Iterator[int]:
    """Frames of a file, from the first one that is there to the first that is not."""
    frame = 0
    while (name, frame) in images:
        yield frame
        frame += 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _round(value: float | None) -> float | None:
    """Four digits; None for what is not known."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
