"""A dataset and its index: opened, compared, described, checked.

``dataset`` opens the index of a dataset and refuses what does not belong together, ``comparing`` says how the two
differ, ``provenance`` finds the model of an index. This room must not know how an index is built or searched.
"""
