"""The devices on which OpenVINO can compute on this machine, and the precisions of each."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from clipdex.errors import DeviceUnavailable

CPU = "CPU"
AUTO = "auto"
EXACT = "f32"
PRECISIONS = ("f32", "bf16", "f16")
_CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}
# Devices that distribute the work to other devices.
_VIRTUAL = ("AUTO", "HETERO", "MULTI")


@functools.cache
def core() -> Any:  # noqa: ANN401
    """Return the ``openvino.Core`` of this process.

    It has the devices and operations that OpenVINO brings, and no extension: a model from elsewhere is data. Without a
    path here, OpenVINO takes its list of devices from its own folder.
    """
    from clipdex.encoder.runtime import openvino

    return openvino.Core()


def devices() -> list[str]:
    """Return the names of the devices that OpenVINO finds, for example ``CPU`` and ``GPU.0``."""
    return list(core().available_devices)


def require_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises
    ------
    DeviceUnavailable
        When OpenVINO finds no such device.
    """
    if device == CPU:
        # Looking for all devices loads what each of them needs.
        with contextlib.suppress(RuntimeError):
            core().get_property(CPU, "FULL_DEVICE_NAME")
            return
    here = devices()
    base = device.partition(":")[0]
    if device in here or (base in _VIRTUAL and _all_here(device.partition(":")[2], here)):
        return
    if device.partition(".")[0] in here or any(device == name.partition(".")[0] for name in here):
        return
    raise DeviceUnavailable(
        f"there is no device {device!r} here. OpenVINO finds: {', '.join(here) or 'none'} "
        f"(and {_VIRTUAL[0]}, which chooses among them)."
    )


def _all_here(names: str, here: list[str]) -> bool:
    bases = {name.partition(".")[0] for name in here}
    return all(name.partition("(")[0].partition(".")[0] in bases for name in names.split(",") if name)


def precisions(device: str) -> tuple[str, ...]:
    """Return the native precisions of a device, of ``f32``, ``bf16`` and ``f16``; ``f32`` is always among them."""
    try:
        capabilities = core().get_property(device, "OPTIMIZATION_CAPABILITIES")
    except RuntimeError:
        return (EXACT,)
    return tuple(name for name in PRECISIONS if name == EXACT or _CAPABILITIES[name] in capabilities)


def nearest_precision(wanted: str, device: str) -> str:
    """Return ``wanted`` where the device has that precision, else ``f32``; their hash keys differ in few bits."""
    if wanted == EXACT or wanted not in PRECISIONS:
        return EXACT
    return wanted if wanted in precisions(device) else EXACT


def fastest(device: str) -> str:
    """Return the fastest precision of a device: a native 16-bit one where it has one, else ``f32``."""
    here = precisions(device)
    order = ("bf16", "f16") if device.startswith(CPU) else ("f16", "bf16")
    return next((name for name in order if name in here), EXACT)


def require_precision(precision: str, device: str) -> None:
    """Refuse a precision that a device does not have.

    Raises
    ------
    DeviceUnavailable
        When the device does not have it; the message names those that it has.
    """
    here = precisions(device)
    if precision not in here:
        raise DeviceUnavailable(
            f"{device} ({describe_device(device)}) does not compute in {precision!r}; it computes in {', '.join(here)}."
        )


def describe_device(device: str) -> str:
    """Return the full name of a device and the version of its driver, as far as OpenVINO knows them."""
    from clipdex.encoder.runtime import openvino

    parts = []
    for name in ("FULL_DEVICE_NAME", "GPU_DRIVER_VERSION", "NPU_DRIVER_VERSION"):
        with contextlib.suppress(RuntimeError):
            parts.append(f"{'driver ' if 'DRIVER' in name else ''}{core().get_property(device, name)}")
    return ", ".join([*parts, f"OpenVINO {openvino.__version__}"])
