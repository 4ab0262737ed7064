"""How hash keys get into an index: a build hashes images; other modules merge indexes and import and export keys.

A build compares the dataset with its index, reads and decodes what differs, hashes it, and commits as it goes.
``build`` is the way in, ``pipeline`` does the work. This room must not know how an index is searched, how an answer
looks, or that there are projects and a command line.
"""
