"""The version of clipdex, and its signature in the files that it writes."""

VERSION = "0.1.0"
WRITER = f"clipdex {VERSION}"
