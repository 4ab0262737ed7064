"""Getting models: adding, downloading, converting, installing, listing, measuring, calibrating and removing them.

The folder ``starter`` is the bundled model, and ``calibration`` holds the photographs and nouns for centres. This
package uses the encoder to test a new model. It knows nothing of indexes, searches or projects.

A model is assembled in a hidden folder beside its place, which is renamed when it is complete. Whatever the source,
``conversion`` brings both towers to one form, so that no other code needs to know where a model comes from.
"""
