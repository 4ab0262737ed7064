"""Saying what a build of one dataset after the other would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from clipdex.wording import counted
from clipdex_cli.build_loop import none_indexed, none_seen, outcomes, passed_over
from clipdex_cli.printing import say, write_line
from clipdex_cli.project_targets import name_of

if TYPE_CHECKING:
    from clipdex import BuildPlan, BuildSettings
    from clipdex.readers.sources import Target

_NAMED = 5
_UNREAD = "annotation not read"
_KINDS = ("added", "changed", "touched", "renamed", "removed")


def plan_all(
    targets: Sequence[Target], settings: BuildSettings, *, quiet: bool = False, limit: int | None = None
) -> int:
    """Print what a build of each target would do.

    Parameters
    ----------
    targets, settings
        As ``build_all`` takes them.
    quiet
        Show no progress, and print only what fails and what would be refused.
    limit
        Number of images of each kind to name; None for a few.

    Returns
    -------
    int
        The exit code: 0 when the build of each target would run, and see an image.
    """
    from clipdex import BuildEvents, plan_build
    from clipdex.errors import ClipdexError
    from clipdex_cli.progress import BuildDisplay

    exit_code = 0
    limit = _NAMED if limit is None else limit
    for target in targets:
        try:
            with BuildDisplay(name_of(target), quiet=quiet) as display:
                events = BuildEvents(None, display, None if quiet else say)
                plan = plan_build(target, settings, events, limit=limit)
        except ClipdexError as error:
            say(f"clipdex: {error.message}")
            exit_code = error.exit_code
            continue
        for line in _lines(plan, limit, quiet=quiet):
            write_line(line)
        if complaint := plan.refusal or _complaint(plan):
            say(f"clipdex: {complaint}")
            exit_code = 1
    return exit_code


def _complaint(plan: BuildPlan) -> str:
    """Return what a build says that runs, and fails all the same."""
    if not plan.items:
        return none_indexed(plan)
    return none_seen(plan.root, plan.items) if plan.items == plan.kept else ""


def _lines(plan: BuildPlan, limit: int, *, quiet: bool) -> Iterator[str]:
    problems = (("failed", plan.failed, len(plan.failed)), (_UNREAD, plan.annotations, plan.annotation_problems))
    for kind, failures, count in problems:
        first = [f"{failure.id}: {failure.reason}" for failure in failures[:limit]]
        yield from _named(kind, first, count)
    yield from (f"{plan.root}: {remark}" for remark in plan.remarks)
    if quiet:
        return
    for kind in _KINDS:
        yield from _named(kind, list(plan.named.get(kind, ())), getattr(plan, kind))
    if line := passed_over(plan):
        yield line
    after = f"{counted(plan.items, 'image')} in the index afterwards"
    yield (
        f"dry run of {plan.root}: {', '.join(_outcomes(plan))}; {_to_hash(plan)}; "
        f"{'the build would be refused' if plan.refusal else after} "
        f"(model {plan.model}, {plan.model_choice})"
    )


def _named(kind: str, first: Sequence[str], count: int) -> Iterator[str]:
    yield from (f"{kind}: {text}" for text in first)
    if first and count > len(first):
        yield f"{kind}: {count - len(first):,} more"


def _outcomes(plan: BuildPlan) -> list[str]:
    retried = [f"{plan.retried:,} tried again after failing"] if plan.retried else []
    return outcomes(plan) + retried


def _to_hash(plan: BuildPlan) -> str:
    least = plan.to_hash - plan.to_compare
    between = f"{least:,} to " if plan.to_compare else ""
    taken = f"{counted(plan.taken_over, 'hash key')} taken over, " if plan.taken_over else ""
    return taken + (f"{between}{counted(plan.to_hash, 'image')} to hash" if plan.to_hash else "nothing to hash")
