"""A dataset and its index: opened, compared, described, checked."""
