"""Where the images of items are, how they are opened, and how they are decoded.

An image is a file, or a member of a file that holds many: ZIP, TAR, Parquet. ``locators`` names it in one text,
``opening`` opens it, ``decoding`` turns it into pixels. This room must not know what an item of a dataset is, which
formats of datasets there are, or what a model does with the pixels.
"""
