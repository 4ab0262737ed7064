"""The commands below ``clipdex model``, one module each."""
