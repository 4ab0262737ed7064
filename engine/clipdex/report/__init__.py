"""Reports: what is saved of a result."""
