"""Answers on disk: pictures, copies and JSON of what was found."""

import clipdex.readers  # noqa: F401 - it says which containers the images of hits may be in
