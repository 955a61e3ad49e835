"""HAADF scans of nionswift's simulated microscope, written into a folder that ``porescope watch`` watches.

    pip install "nionswift==16.*" nionswift-instrumentation nionswift-usim tifffile
    porescope watch today -o live --method voids &
    python live_nionswift.py today 5

At a real Nion microscope the scans come from its own hardware source; the loop below stays the same.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile

import numpy as np
import tifffile
from nion.instrumentation import HardwareSource, scan_base
from nion.usim_device.DeviceConfiguration import AcquisitionContextConfiguration


def start_microscope() -> scan_base.ScanHardwareSource:
    """Start the simulated microscope without a window."""
    HardwareSource.run()
    scan_base.run(pathlib.Path(tempfile.mkdtemp()))  # where it keeps its configuration
    AcquisitionContextConfiguration(sample_index=0, set_configuration_location=False).run()
    return HardwareSource.HardwareSourceManager().get_hardware_source_for_hardware_source_id(
        "usim_scan_device"
    )


def main(folder: pathlib.Path, n: int) -> None:
    """Write some scans."""
    folder.mkdir(parents=True, exist_ok=True)
    scan = start_microscope()
    parameters = scan.get_frame_parameters(0)
    parameters.pixel_size, parameters.fov_nm, parameters.pixel_time_us = (256, 256), 60.0, 1.0
    scan.set_current_frame_parameters(parameters)
    scan.start_playing()
    try:
        for i in range(n):
            (xdata,) = scan.get_next_xdatas_to_finish(60)[:1]
            per_nm = [1 / calibration.scale for calibration in xdata.dimensional_calibrations[::-1]]
            assert {calibration.units for calibration in xdata.dimensional_calibrations} == {"nm"}
            # A name that is not looked for, until the file is whole.
            part = folder / f"scan_{i:04d}.part"
            data = np.asarray(xdata.data, np.float32)
            tifffile.imwrite(part, data, imagej=True, resolution=tuple(per_nm), metadata={"unit": "nm"})
            os.replace(part, folder / f"scan_{i:04d}_haadf.tif")
    finally:
        scan.abort_playing()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)  # threads of the simulated cameras would go on
