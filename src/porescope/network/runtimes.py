"""What runs the network's file: onnxruntime, or OpenVINO with numbers of 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import explain_missing

#: Runs a network: images, shape (1, V, M, N), and what it is told of them, shape (1, modes) → its maps,
#: shape (1, 2, M, N).
Run = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
#: Names of the network's inputs: the image, and `model.describe_image` of it.
INPUTS = ["image", "about"]
#: Where the network runs → onnxruntime's name for it; those but the CPU need another build of onnxruntime.
DEVICES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
#: Numbers that the network calculates with.
PRECISIONS = ("float32", "bf16")


def choose_providers(device: str) -> list[str]:
    """Choose the names by which onnxruntime calls a device and what it falls back to.

    Parameters
    ----------
    device : str
        One of `DEVICES`, or ``auto``: CUDA where it can be used, else the CPU.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If there is no such device.

    Examples
    --------
    >>> choose_providers("cpu")
    ['CPUExecutionProvider']
    """
    import onnxruntime

    available, cpu = onnxruntime.get_available_providers(), DEVICES["cpu"]
    if device == "auto":
        return [name for name in (DEVICES["cuda"], cpu) if name in available]
    if device not in DEVICES:
        raise ValueError(f"device must be auto, {', '.join(DEVICES)}, not {device!r}")
    if DEVICES[device] not in available:
        offered = ", ".join(name for name, provider in DEVICES.items() if provider in available)
        raise ValueError(f"device {device} needs another build of onnxruntime; this one offers {offered}")
    return list(dict.fromkeys([DEVICES[device], cpu]))


def start_session(content: bytes, providers: list[str]) -> Any:
    """Start onnxruntime with a network.

    Parameters
    ----------
    content : bytes
        Of an ONNX file.
    providers : list of str
        As `choose_providers` returns them.

    Returns
    -------
    onnxruntime.InferenceSession
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the processes of a batch share the cores already
    # A plan of the memory is kept for each size of a tile, and saves little time.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=providers)


def wrap_session(session: Any) -> Run:
    """Make of an onnxruntime session what runs the network.

    Parameters
    ----------
    session : onnxruntime.InferenceSession

    Returns
    -------
    callable
    """

    def run(image: NDArray[np.float32], about: NDArray[np.float32]) -> NDArray[np.float32]:
        (maps,) = session.run(None, dict(zip(INPUTS, (image, about), strict=True)))
        return np.asarray(maps)

    return run


def calculates_bf16() -> bool:
    """Whether OpenVINO, which must be installed, can calculate with bfloat16 on this processor.

    Returns
    -------
    bool
    """
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def start_bf16(content: bytes) -> Run:
    """Start OpenVINO with a network, to calculate with numbers of 16 bits (bfloat16).

    Parameters
    ----------
    content : bytes
        Of an ONNX file.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If OpenVINO is missing, or the processor does not calculate with such numbers.
    """
    if find_spec("openvino") is None:
        raise ValueError(explain_missing("precision bf16", "OpenVINO", "bf16"))
    import openvino

    if not calculates_bf16():
        raise ValueError(
            "precision bf16 needs a processor with AVX512-BF16 or AMX, which this one is not; use float32"
        )
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
    request = core.compile_model(core.read_model(content), "CPU", settings).create_infer_request()

    def run(image: NDArray[np.float32], about: NDArray[np.float32]) -> NDArray[np.float32]:
        # A copy: the next run writes into the same memory.
        return np.array(request.infer(dict(zip(INPUTS, (image, about), strict=True)))[0], np.float32)

    return run


def name_device(session: Any, asked: str) -> str:
    """Name the device that is used; onnxruntime takes the CPU where it cannot start another.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    asked : str
        As for `choose_providers`.

    Returns
    -------
    str
        One of `DEVICES`.

    Raises
    ------
    ValueError
        If it is not the one that was asked for.
    """
    provider = session.get_providers()[0]
    used = next(name for name, other in DEVICES.items() if other == provider)
    if asked not in ("auto", used):
        raise ValueError(f"device {asked} cannot be started on this machine; use another, or --device cpu")
    return used
