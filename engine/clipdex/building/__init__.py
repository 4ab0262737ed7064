"""How keys get into an index: build, and bring in keys from elsewhere."""
