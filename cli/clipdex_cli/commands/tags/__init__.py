"""``clipdex tag``, one module a command."""
