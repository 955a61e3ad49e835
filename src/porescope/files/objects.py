"""Images of other libraries, described as signals: HyperSpy's and xarray's."""

from __future__ import annotations

from typing import Any

from porescope.files.entries import describe_signal
from porescope.files.signals import Signal


def describe_hyperspy(signal: Any) -> Signal:
    """Describe a signal of HyperSpy.

    Parameters
    ----------
    signal : hyperspy.api.signals.BaseSignal

    Returns
    -------
    Signal
    """
    manager = signal.axes_manager
    axes = []
    for axis in (*manager.navigation_axes[::-1], *manager.signal_axes[::-1]):
        uniform = getattr(axis, "is_uniform", True)
        step = {"scale": axis.scale} if uniform else {"axis": axis.axis}
        axes.append({"name": str(axis.name), "units": axis.units, "navigate": axis.navigate, **step})
    metadata, original = signal.metadata.as_dictionary(), signal.original_metadata.as_dictionary()
    return describe_signal(
        {"axes": axes, "data": signal.data, "metadata": metadata, "original_metadata": original}
    )


def describe_xarray(array: Any) -> Signal:
    """Describe a data array of xarray.

    Parameters
    ----------
    array : xarray.DataArray
        Its coordinates give the steps of its axes; their attribute ``units``, or that of the array, the unit.

    Returns
    -------
    Signal
    """
    axes = []
    for k, name in enumerate(array.dims):
        coordinate = array.coords.get(name)
        axis: dict[str, Any] = {"name": str(name), "navigate": k < array.ndim - 2, "units": None}
        if coordinate is not None:
            unit = coordinate.attrs.get("units", array.attrs.get("units"))
            axis |= {"units": unit, "axis": coordinate.values}
        axes.append(axis)
    title = "" if array.name is None else str(array.name)
    return describe_signal(
        {
            "axes": axes,
            "data": array.values,
            "metadata": {"General": {"title": title}},
            "original_metadata": {},
        }
    )
