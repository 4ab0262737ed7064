"""The outcomes of stages: stored with the project, and compared with later outcomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.errors import IndexCorrupt
from clipdex.projects.model import Outcome, Project, Stage
from clipdex_indexes.storage.files import atomic_write, read_text, sha256_of

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
    """Return the outcome of a query, while its indexes are open."""
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
    """Return a digest of the state of an index: its random names of segments, and the number of its last commit."""
    names = [segment.name for segment in manifest.segments]
    return hashlib.sha256(json.dumps([manifest.generation, names]).encode()).hexdigest()[:_DIGITS]


def hits_of(result: Result) -> Hits:
    """Return the hits in the form that is compared: the items in order, with their distances."""
    return [((hit.dataset, hit.subset, hit.id), hit.distance) for hit in result.hits]


def digest_of(hits: Hits) -> str:
    """Return a digest of hits."""
    return hashlib.sha256(json.dumps(list(hits)).encode()).hexdigest()


def keep_hits(project: Project, stage: Stage, hits: Hits) -> None:
    """Store the hits of a recorded stage with the project, for comparison with later ones."""
    path = _hits_path(project, stage.question)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({"hits": list(hits)}, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")


def kept_hits(project: Project, stage: Stage) -> Hits | None:
    """Return the stored hits of a recorded stage; None where they are missing, or differ from its digest."""
    path = _hits_path(project, stage.question)
    try:
        body = json.loads(read_text(path if path.exists() else _hits_path(project, stage.former_question), _MAX_BYTES))
        hits = [((str(d), str(s), str(i)), int(distance)) for (d, s, i), distance in body["hits"]]
    except (OSError, IndexCorrupt, ValueError, TypeError, KeyError, RecursionError):
        return None
    return hits if stage.outcome is not None and digest_of(hits) == stage.outcome.hits else None


def _hits_path(project: Project, question: str) -> Path:
    return project.state / "stages" / f"{question}.json"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between the recorded outcome of a stage and a later one.

    Attributes
    ----------
    same
        Whether the hits are the same: the same items, in the same order, at the same distances.
    model_changed
        Whether another model hashed the sources.
    changed_sources, changed_images
        The sources whose index was written since, and the query images whose content has changed.
    new, gone
        The hits that are new, and those that are gone; None where the recorded hits are not stored.
    """

    same: bool
    model_changed: bool
    changed_sources: tuple[str, ...]
    changed_images: tuple[str, ...]
    new: tuple[HitKey, ...] | None
    gone: tuple[HitKey, ...] | None


def compare_outcomes(before: Outcome, after: Outcome, hits_before: Hits | None, hits_after: Hits) -> Comparison:
    """Compare the recorded outcome of a stage with a later one."""
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
