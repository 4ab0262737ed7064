"""Maps of datasets: coordinates in the plane for every item, from the hash keys alone, so that neighbours are near.

``making`` is the way: at most 10,000 *landmarks* are drawn (``landmarks``) and laid out by t-SNE (``layout``); every
other item is placed by the landmarks nearest to it (``placing``); the map is kept beside the index (``keeping``).

Where an item is depends on its hash key and the landmarks, and on nothing else: not on segments, threads, or other
items. So new items do not move the old ones, and whatever is kept can be computed again.
"""
