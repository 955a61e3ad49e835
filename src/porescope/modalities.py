"""The modalities: how an image may have been taken, and which way a hole shows in each."""

from __future__ import annotations

#: Modalities in which a hole is brighter than the sheet.
BRIGHT_HOLES = ("bf", "abf")


#: How an image may have been taken.
MODALITIES = ("haadf", "bf", "abf", "hrtem")
