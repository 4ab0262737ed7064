"""Values that the engine and the command line share. This module imports nothing, so that ``--help`` stays fast."""

INDEX_FOLDER = ".clipdex"
TOPK = 50
MAX_PIXELS = 128_000_000
PROMPTINGS = ("auto", "none", "ensemble")
CHECKPOINT_SECONDS = 30.0
ANY, ALL, RANK = MERGES = ("any", "all", "rank")
IDS, SUBSETS, RANKED = SAVED_NAMES = ("ids", "subsets", "ranked")
WEAK, FAIR, STRONG = STRENGTHS = ("weak", "fair", "strong")
