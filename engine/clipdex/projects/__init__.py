"""Projects: folders with a ``clipdex.toml`` that names datasets, a model, plugins, and queries as repeatable stages."""
