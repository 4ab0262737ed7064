"""Models that others publish: which are known, and how one is downloaded."""
