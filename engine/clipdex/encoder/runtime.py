"""OpenVINO, imported so that it reports nothing: the one place where the engine imports it."""

from __future__ import annotations

from clipdex.extras import without_telemetry

with without_telemetry():
    import openvino

__all__ = ["openvino"]
