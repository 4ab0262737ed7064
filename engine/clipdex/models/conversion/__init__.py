"""Converting published dual encoders to the files of a model folder: their layouts, preprocessing, tokenizers, towers.

The result is OpenVINO IR that takes pixels or tokens and gives unit embeddings, a ``tokenizer.json``, the centres and
``model.json``. This package does not know where a folder came from or where the model will be installed.
"""
