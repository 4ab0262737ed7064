"""Projects: named datasets, a model, plugins, and queries that can be repeated as stages.

A project is a folder with a ``clipdex.toml``. The file is edited in place, so that comments and order stay, and a stage
holds the options of its query by their long names. This package knows nothing of command lines, terminals or pictures;
it turns a stage into a search request and back, and does not run searches.
"""
