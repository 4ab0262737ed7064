"""What came out of a stage: kept beside the project, and compared with what comes out now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.errors import IndexCorrupt
from clipdex.projects.model import Outcome, Project, Stage
from clipdex_indexes.storage.files import atomic_write, read_bounded, sha256_of

if TYPE_CHECKING:
    from clipdex.search.explorer import Explorer
    from clipdex.search.result import Result
    from clipdex_indexes import Manifest

_MAX_BYTES = 256 << 20
_DIGITS = 16

# Dataset, subset and id of an item, in the order of a result, with its distance.
HitKey = tuple[str, str, str]
Hits = Sequence[tuple[HitKey, int]]


def outcome_of(project: Project, explorer: Explorer, result: Result) -> Outcome:
    """Return what came out of a query, while the indexes that answered it are open."""
    return Outcome(
        explorer.datasets[0].index.manifest.model.digest,
        digest_of(hits_of(result)),
        {dataset.name: _state_of(dataset.index.manifest) for dataset in explorer.datasets},
        {
            project.relative(Path(query.path)): sha256_of(Path(query.path))
            for query in result.queries
            if query.kind == "image" and query.path
        },
    )


def _state_of(manifest: Manifest) -> str:
    """Return which state of an index this is: segments have random names, and each commit has its number."""
    names = [segment.name for segment in manifest.segments]
    return hashlib.sha256(json.dumps([manifest.generation, names]).encode()).hexdigest()[:_DIGITS]


def hits_of(result: Result) -> Hits:
    """Return the hits as they are compared: which items in which order, and how far."""
    return [((hit.dataset, hit.subset, hit.id), hit.distance) for hit in result.hits]


def digest_of(hits: Hits) -> str:
    """Return a digest of hits."""
    return hashlib.sha256(json.dumps(list(hits)).encode()).hexdigest()


def keep_hits(project: Project, stage: Stage, hits: Hits) -> None:
    """Keep the hits of a recorded stage beside the project, so that later ones can be compared with them."""
    path = _hits_path(project, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({"hits": list(hits)}, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")


def kept_hits(project: Project, stage: Stage) -> Hits | None:
    """Return the hits that a stage had when it was recorded; None where they are not kept, or are other ones."""
    try:
        body = json.loads(read_bounded(_hits_path(project, stage), _MAX_BYTES))
        hits = [((str(d), str(s), str(i)), int(distance)) for (d, s, i), distance in body["hits"]]
    except (OSError, IndexCorrupt, ValueError, TypeError, KeyError, RecursionError):
        return None
    return hits if stage.outcome is not None and digest_of(hits) == stage.outcome.hits else None


def _hits_path(project: Project, stage: Stage) -> Path:
    return project.state / "stages" / f"{stage.question}.json"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How what comes out now differs from what was recorded.

    Attributes
    ----------
    same
        Whether the hits are the same: the same items, in the same order, at the same distances.
    model_changed
        Whether another model hashed what is searched.
    changed_sources, changed_images
        Sources whose index was written since, and images of queries whose content is another one.
    new, gone
        Hits that were none before, and the other way round; None where the former hits are not kept.
    """

    same: bool
    model_changed: bool
    changed_sources: tuple[str, ...]
    changed_images: tuple[str, ...]
    new: tuple[HitKey, ...] | None
    gone: tuple[HitKey, ...] | None


def compare_outcomes(before: Outcome, after: Outcome, hits_before: Hits | None, hits_after: Hits) -> Comparison:
    """Compare what was recorded of a stage with what comes out now."""
    new: tuple[HitKey, ...] | None = None
    gone: tuple[HitKey, ...] | None = None
    if hits_before is not None:
        was, are = dict(hits_before), dict(hits_after)
        new = tuple(item for item in are if item not in was)
        gone = tuple(item for item in was if item not in are)
    return Comparison(
        before.hits == after.hits,
        before.model != after.model,
        _differing(before.sources, after.sources),
        _differing(before.images, after.images),
        new,
        gone,
    )


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
