"""Getting a model: adding, converting, downloading and removing; the bundled one is here too."""
