from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from porescope import read, read_all
from porescope.files import Header
from porescope.files.entries import describe_signal
from porescope.files.headers import look_up, read_header, read_interval, read_ome
from porescope.files.signals import Signal

DM: dict[str, Any] = {
    "original_metadata": {
        "ImageList": {
            "TagGroup0": {
                "ImageTags": {
                    "DataBar": {"Acquisition Time (OS)": 1.3192127405992138e17},
                    "DigiScan": {"Image Height": 300, "Image Width": 400},
                    "Session Info": {"Microscope": []},
                    "Microscope Info": {
                        "Name": "JEOL COM",
                        "Voltage": 80000.0,
                        "Indicated Magnification": 1.2e7,
                        "Illumination Mode": "STEM",
                        "Imaging Mode": "DIFFRACTION",
                        "Probe Current (nA)": 0.05,
                        "Stage Position": {"Stage X": -54.5, "Stage Y": 5.25, "Stage Z": 25.0},
                    },
                }
            }
        }
    },
    "metadata": {"General": {"date": "2019-05-03", "time": "10:50:05"}},
    "mapping": {},
}
VELOX: dict[str, Any] = {
    "original_metadata": {
        "Stage": {"Position": {"x": "1.25e-05", "y": "-2.5e-06", "z": "0"}},
        "Optics": {"AccelerationVoltage": "300000", "NominalMagnification": "1271519.5"},
        "Instrument": {"InstrumentClass": "Titan"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1575540224"}},
        "CustomProperties": {"StemMagnification": {"type": "bool", "value": "1"}},
    },
    # rosettasciio's own stage position is in m here, and would be taken for mm.
    "metadata": {"Acquisition_instrument": {"TEM": {"Stage": {"x": 1.25e-5, "y": -2.5e-6}}}},
    "mapping": {"Stage.Position.x": ("Acquisition_instrument.TEM.Stage.x", float)},
}
TIA: dict[str, Any] = {
    "original_metadata": {
        "ser_header_parameters": {"Time": np.uint32(1318987126)},
        "ObjectInfo": {
            "ExperimentalDescription": {
                "Microscope": "TitanCubed", "High tension_kV": 80.0, "Magnification_x": 1.35e7,
                "Stage X_um": 3.5, "Stage Y_um": -2.25, "Stage Z_um": 0.0,
            }
        },
    },
    "metadata": {"General": {"date": "2011-10-18", "time": "18:18:46"}},
}  # fmt: skip
NCEM: dict[str, Any] = {
    "original_metadata": {
        "microscope": {"high tension": 200000.0, "magnification": 5.1e6, "name": b"TEAM 0.5"}
    },
    "metadata": {},
}
HYPERSPY: dict[str, Any] = {
    "original_metadata": {},
    "metadata": {
        "General": {"date": "2020-01-02", "time": "03:04:05", "time_zone": "Europe/Berlin"},
        "Acquisition_instrument": {
            "TEM": {
                "beam_energy": 200, "magnification": 2e6, "microscope": "Nion", "beam_current": 0.1,
                "acquisition_mode": "STEM", "Stage": {"x": 0.5, "y": -0.25},
            }
        },
    },
}  # fmt: skip
OME: dict[str, Any] = {
    "AcquisitionDate": "2020-01-01T00:00:00Z",
    "StageLabel": {"Name": "here", "X": 3, "Y": 2, "XUnit": "µm", "YUnit": "µm"},
    "Pixels": {
        "Plane": [
            {"TheZ": 1, "DeltaT": 1500, "DeltaTUnit": "ms", "PositionX": 7, "PositionY": 9},
            {
                "TheZ": 0, "DeltaT": 0.5,
                "PositionX": 7, "PositionXUnit": "nm", "PositionY": 9, "PositionYUnit": "µm",
            },
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (DM, Header((5250.0, -54500.0), 1547653805.9921379, 1.2e7, 80.0, "JEOL COM", 0.05)),
        (VELOX, Header((-2500.0, 12500.0), 1575540224.0, 1271519.5, 300.0, "Titan", None)),
        (TIA, Header((-2250.0, 3500.0), 1318987126.0, 1.35e7, 80.0, "TitanCubed", None)),
        (NCEM, Header(None, None, 5.1e6, 200.0, "TEAM 0.5", None)),
        (
            HYPERSPY,
            Header(
                (-2.5e5, 5e5), datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC).timestamp(), 2e6, 200.0, "Nion", 0.1
            ),
        ),
    ],
)
def test_each_maker_in_its_own_units(entry: dict[str, Any], expected: Header) -> None:
    got = read_header(entry, (300, 400))
    assert got.stage_nm == (None if expected.stage_nm is None else pytest.approx(expected.stage_nm))
    assert got._replace(stage_nm=None) == expected._replace(stage_nm=None)


def test_a_mapping_is_applied_in_the_units_it_is_known_for() -> None:
    """Zeiss gives mm; FEI's SEM gives m, which rosettasciio hands on as it is."""
    entry = {
        "metadata": {},
        "original_metadata": {"CZ_SEM": {"x": 2.0, "y": 3.0, "kv": "x"}, "fei": {"kv": "30000"}},
        "mapping": {
            "CZ_SEM.x": ("Acquisition_instrument.SEM.Stage.x", None),
            "CZ_SEM.y": ("Acquisition_instrument.SEM.Stage.y", None),
            "CZ_SEM.kv": ("Acquisition_instrument.SEM.beam_current", float),
            "fei.kv": ("Acquisition_instrument.SEM.beam_energy", lambda x: float(x) / 1e3),
        },
    }
    got = read_header(entry, (3, 4))
    assert got == Header(stage_nm=(3e6, 2e6), beam_energy_kev=30.0)
    entry["original_metadata"]["fei_metadata"] = {"x": 2e-3, "y": 3e-3}
    entry["mapping"] = {f"fei_metadata.{a}": (f"Acquisition_instrument.SEM.Stage.{a}", None) for a in "xy"}
    assert read_header(entry, (3, 4)) == Header()


def test_what_was_not_recorded_is_none() -> None:
    entry = copy.deepcopy(DM)
    tags = entry["original_metadata"]["ImageList"]["TagGroup0"]["ImageTags"]
    tags["DataBar"] = {}
    tags["Microscope Info"].update(
        {
            "Voltage": 0.0, "Indicated Magnification": float("nan"), "Name": "Unknown",
            "Stage Position": {"Stage X": 0.0, "Stage Y": 0.0, "Stage Z": 0.0},
        }
    )  # fmt: skip
    # Without its clock a date such as 2019-05-03 may be March or May.
    assert read_header(entry, (300, 400)) == Header(beam_current_na=0.05)
    assert read_header(entry, (100, 400)).beam_current_na is None  # cut from the scan
    tags["Microscope Info"].update({"Illumination Mode": "TEM", "Indicated Magnification": 800.0})
    assert read_header(entry, (3, 4)).magnification is None  # a camera length


def test_hyperspys_stage_is_left_where_its_reader_wrote_metres() -> None:
    entry = copy.deepcopy(HYPERSPY)
    entry["metadata"]["General"]["FileIO"] = {"0": {"operation": "load", "io_plugin": "rsciio.emd"}}
    assert read_header(entry, (3, 4)).stage_nm is None
    entry["metadata"]["General"]["FileIO"]["0"]["io_plugin"] = "rsciio.digitalmicrograph"
    assert read_header(entry, (3, 4)).stage_nm == (-2.5e5, 5e5)


def test_a_time_zone_that_is_not_known_gives_no_time() -> None:
    entry = copy.deepcopy(HYPERSPY)
    for zone in ("/etc/passwd", "nowhere", "../.."):
        entry["metadata"]["General"]["time_zone"] = zone
        assert read_header(entry, (3, 4)).time_s is None


def test_ome_planes_in_order_of_time() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    first, second = read_ome(OME, 2)
    assert first == Header(stage_nm=(9000.0, 7.0), time_s=start + 0.5)
    # "Reference frame", OME's default unit, is no length: the stage label stands.
    assert second == Header(stage_nm=(2000.0, 3000.0), time_s=start + 1.5)
    assert read_ome(OME, 3) == (Header(stage_nm=(2000.0, 3000.0), time_s=start),)


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ({"finterval": 0.5}, 0.5),
        ({"finterval": 20, "tunit": "ms"}, 0.02),
        ({"finterval": 0}, None),
        ({}, None),
    ],
)
def test_imagejs_frame_interval(told: dict[str, Any], step: float | None) -> None:
    assert read_interval(told) == step


def test_a_frame_has_its_own_time() -> None:
    stack = Signal(
        np.zeros((3, 4, 5)), ["ms", "nm", "nm"], [200.0, 1, 1], [True, False, False],
        headers=(Header(time_s=100.0),),
    )  # fmt: skip
    assert [stack.header_of(k).time_s for k in range(3)] == pytest.approx([100.0, 100.2, 100.4])
    undated = stack._replace(headers=(Header(),))
    assert undated.header_of(2).time_s == pytest.approx(0.4)
    assert undated._replace(units=[None, "nm", "nm"]).header_of(2).time_s is None


def test_times_and_places_come_through_files(tmp_path: Path) -> None:
    stack = np.zeros((2, 5, 6), np.uint8)
    tifffile.imwrite(
        tmp_path / "movie.tif", stack, imagej=True, resolution=(20, 20),
        metadata={"axes": "TYX", "unit": "nm", "finterval": 0.25},
    )  # fmt: skip
    assert [m.acquisition.time_s for m in read_all(tmp_path / "movie.tif")] == [0.0, 0.25]
    planes = {
        "PositionX": [1, 2], "PositionXUnit": ["nm"] * 2, "PositionY": [3, 4], "PositionYUnit": ["nm"] * 2
    }  # fmt: skip
    sizes = {
        "PhysicalSizeX": 0.05,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.05,
        "PhysicalSizeYUnit": "nm",
    }
    tifffile.imwrite(
        tmp_path / "tiles.ome.tif", stack, ome=True, metadata={"axes": "TYX", "Plane": planes, **sizes}
    )
    assert [m.acquisition.stage_nm for m in read_all(tmp_path / "tiles.ome.tif")] == [(3, 1), (4, 2)]


# name: stage (y, x) [µm], POSIX time, magnification, keV, microscope
REAL: dict[str, tuple[Any, ...]] = {
    "ws2/A.dm3": ((5.417, -54.640), 1547653805.992, 12e6, 80, "JEOL COM"),
    "formats/test_STEM_image.dm3": ((52.004, -461.276), 1470669997.001, 225e3, 200, "FEI Titan"),
    "formats/EMDReader_Image_FEI.emd": ((143.706, -9.371), 1488794201, 40e3, 200, "Talos"),
    "formats/16_STOimage.emi": (None, 1318987126, 13.5e6, 80, "TitanCubed D3147 S-Twin"),
    "formats/Acquisition_18.emd": (None, None, 5.1e6, 200, "TEAM 0.5"),
    "formats/HAADFscan.mrc": (None, None, None, None, None),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REAL)
def test_real_files(data: Path, name: str) -> None:
    stage, time, magnification, energy, instrument = REAL[name]
    got = read(data / name).acquisition
    if stage is None:
        assert got.stage_nm is None
    else:
        assert got.stage_nm == pytest.approx(np.multiply(stage, 1e3), abs=0.6)
    assert got.time_s == (None if time is None else pytest.approx(time, abs=1e-3))
    assert got.dose_rate_e_nm2_s is None
    assert (got.magnification, got.beam_energy_kev, got.instrument) == (magnification, energy, instrument)


ODD = [10**400, "9" * 5000, np.float32("nan"), np.zeros(3), np.complex64(1j), object(), 1e308]
simple = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9)
)
junk = st.recursive(
    simple | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.integers(), inner),
    max_leaves=6,
)


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            found += _paths(value, (*path, key))
    return found


def _put(entry: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    entry = node = copy.deepcopy(entry)
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return entry


def _check(entry: dict[str, Any]) -> None:
    found = read_ome(entry["ome"], 2) if "ome" in entry else (read_header(entry, (300, 400)),)
    for header in found:
        assert header.instrument is None or 0 < len(header.instrument) <= 200
        for value in header._replace(instrument=None):
            assert value is None or np.isfinite(value).all()


ENTRIES = {"dm": DM, "velox": VELOX, "tia": TIA, "ncem": NCEM, "hyperspy": HYPERSPY, "ome": {"ome": OME}}


@pytest.mark.parametrize("name", ENTRIES)
def test_each_value_may_be_rubbish(name: str) -> None:
    for path in _paths(ENTRIES[name]):
        for value in (
            *ODD,
            float("nan"),
            "inf",
            True,
            None,
            [],
            {},
            "Unknown",
            b"\xff\0",
            {"a": {"b": [{}]}},
        ):
            _check(_put(ENTRIES[name], path, value))


@given(st.data(), st.sampled_from(list(ENTRIES)), st.lists(junk, min_size=1, max_size=4))
def test_rubbish_in_the_metadata_never_raises(data: Any, name: str, values: list[Any]) -> None:
    entry = ENTRIES[name]
    for value in values:
        paths = _paths(entry)
        if paths:
            entry = _put(entry, data.draw(st.sampled_from(paths)), value)
    if name != "ome" or "ome" in entry:
        _check(entry)


def test_look_up_takes_any_node() -> None:
    assert look_up({"a": {"b": 1}}, "a", "b") == 1
    assert look_up({"a": [1]}, "a", "b", "c") is None and look_up(None, "a") is None


@pytest.mark.parametrize("value", ODD)
def test_rubbish_never_hides_the_image(value: Any) -> None:
    """Nor does what else is read from the metadata raise: title, signal type, modality."""
    axes = [{"units": "nm", "scale": 0.05, "navigate": False}] * 2
    entry = {**DM, "data": np.zeros((3, 4)), "axes": axes}
    for path in [("metadata",), ("original_metadata",), *_paths(entry["original_metadata"])]:
        whole = path if path[0] in entry else ("original_metadata", *path)
        assert describe_signal(_put(entry, whole, value)).data.shape == (3, 4)
