"""The commands of ``clipdex project``, one module each."""
