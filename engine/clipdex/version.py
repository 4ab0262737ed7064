"""The version of clipdex, and how it signs what it writes."""

VERSION = "0.1.0"
WRITER = f"clipdex {VERSION}"
