"""Building one dataset after the other, and saying what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.printing import say
from clipdex_cli.project_targets import name_of

if TYPE_CHECKING:
    from pathlib import Path

    from clipdex import BuildPlan, BuildReport, BuildSettings
    from clipdex.datasets.failures import Failure
    from clipdex.errors import DatasetNotFound
    from clipdex.readers.sources import Target

_SHOWN_FAILURES = 5
_SHOWN_INDEXES = 5
_AFTER_BUILD = "What was hashed is in the index; the same command goes on from there."
_AFTER_REBUILD = "An index that was there is as it was before."


def build_all(
    targets: Sequence[Target], settings: BuildSettings, *, quiet: bool = False, only_news: bool = False
) -> int:
    """Build each target, or bring it up to date, and report on stderr.

    Parameters
    ----------
    targets
        The datasets, as ``clipdex.build`` takes them.
    settings
        How each is built.
    quiet
        Show no progress and no summary; failed and damaged files are still named.
    only_news
        Say nothing of a target of which nothing had to be changed.

    Returns
    -------
    int
        The exit code: 0 when each target has at least one image in its index, and one was seen.
    """
    from clipdex import BuildEvents, build
    from clipdex.errors import ClipdexError, IndexWriteFailed
    from clipdex_cli.progress import BuildDisplay
    from clipdex_cli.stopping import exit_code_of, stoppable

    exit_code = 0
    for target in targets:
        name = name_of(target)
        try:
            with stoppable(), BuildDisplay(name, quiet=quiet) as display:
                events = BuildEvents(options.say_waiting(name), display, None if quiet else say)
                report = build(target, settings, events)
        except IndexWriteFailed as error:
            if only_news and _is_built(target, settings.index):
                say(f"{name}: searched as it was built: {error.message}")
                continue
            say(f"clipdex: {error.message}")
            exit_code = error.exit_code
            continue
        except ClipdexError as error:
            say(f"clipdex: {error.message}")
            exit_code = error.exit_code
            continue
        except KeyboardInterrupt as stop:
            after = _AFTER_REBUILD if settings.rebuild else _AFTER_BUILD
            say("", f"Interrupted. {after}")
            raise click.exceptions.Exit(exit_code_of(stop)) from stop
        news = report.added + report.changed + report.touched + report.renamed + report.removed > 0
        if news or not only_news or report.kept == report.items:
            _say_failures(report)
        seen = report.items - report.kept
        if report.items and not seen:
            say(f"clipdex: {none_seen(report.root, report.items)}")
            exit_code = 1
        elif report.items == 0:
            _say_passed_over(report)
            say(f"clipdex: {none_indexed(report)}")
            exit_code = 1
        elif not quiet and (news or not only_news):
            _say_passed_over(report)
            _say_taken_over(report)
            _say_done(report)
    return exit_code


def say_missing(missing: Sequence[DatasetNotFound]) -> int:
    """Name the sources of a project that were left out because they do not exist, and return the exit code."""
    for error in missing:
        say(f"clipdex: {error.message}")
    return max((error.exit_code for error in missing), default=0)


def _is_built(target: Target, index: str | os.PathLike[str] | None) -> bool:
    """Tell whether a target has an index already, or is in a folder that has one."""
    from clipdex.datasets.above import has_index, nearest_index
    from clipdex.readers.sources import index_folder, locate

    source = locate(target)
    return has_index(nearest_index(source) if index is None else index_folder(source, index))


def _say_failures(report: BuildReport) -> None:

    for what, failures in (("failed", report.failed), ("damaged", report.damaged)):
        for failure in failures[:_SHOWN_FAILURES]:
            say(f"{what}: {failure.id}: {failure.reason}")
        if len(failures) > _SHOWN_FAILURES:
            more = len(failures) - _SHOWN_FAILURES
            say(f"{what}: {more} more, all listed in {report.index / 'failed.json'}")
    for failure in report.annotations[:_SHOWN_FAILURES]:
        say(f"annotation not read: {failure.id}: {failure.reason}")
    if report.annotation_problems > _SHOWN_FAILURES:
        more = report.annotation_problems - _SHOWN_FAILURES
        say(f"annotation not read: {more:,} more; the first are listed in {report.index / 'failed.json'}")
    for remark in report.remarks:
        say(f"{report.root}: {remark}")
    if report.precision != report.index_precision and report.hashed:
        say(
            f"{report.root}: hashed in {report.precision}, because {report.device} does not compute in "
            f"{report.index_precision} like the rest of the index: a few bits differ."
        )


def _say_taken_over(report: BuildReport) -> None:
    """Say which other indexes had hash keys of the dataset, and which were not used, and why."""
    name = str(report.root)
    if report.taken_over:
        parts = [f"{count:,} from the index of {root}" for root, count in report.taken_over.items()]
        named = ", ".join(parts[:_SHOWN_INDEXES])
        others = len(parts) - _SHOWN_INDEXES
        more = f", and more of {counted(others, 'other')}" if others > 0 else ""
        total = counted(sum(report.taken_over.values()), "hash key")
        say(f"{name}: {total} taken over: {named}{more}")
    for root, why in list(report.left_aside.items())[:_SHOWN_INDEXES]:
        say(f"{name}: nothing taken over from the index of {root}: {why}")
    if len(report.left_aside) > _SHOWN_INDEXES:
        count = len(report.left_aside) - _SHOWN_INDEXES
        say(f"{name}: nothing taken over from {counted(count, 'other')}, for such reasons")


def _say_passed_over(report: BuildReport) -> None:
    if line := passed_over(report):
        say(line)


def passed_over(of: BuildReport | BuildPlan) -> str:
    """Return a line that says what was passed over; empty where nothing was."""
    from clipdex.readers.passing_over import said

    return f"{of.root}: passed over: {said(of.passed_over)}" if of.passed_over else ""


def none_seen(root: Path, known: int) -> str:
    """Say that the images of a dataset are out of sight, and that its index is kept."""
    return f"no image of {root} can be looked at now: its index of {counted(known, 'image')} is kept."


def none_indexed(of: BuildReport | BuildPlan) -> str:
    """Say that the index of a dataset has no image, and how many it had."""
    lost = f": its index loses {counted(of.removed, 'image')} and is empty" if of.removed else ""
    return f"no image in {of.root} could be indexed{lost}."


def outcomes(of: BuildReport | BuildPlan, damaged: int = 0) -> list[str]:
    """Return how many items there are of each outcome, and annotations not read, as texts such as ``3 added``."""
    counts = [f"{of.added:,} added"]
    counts += [f"{of.changed:,} changed"] if of.changed else []
    counts += [f"{of.touched:,} touched"] if of.touched else []
    counts += [f"{of.renamed:,} renamed"] if of.renamed else []
    counts += [f"{of.unchanged:,} unchanged"]
    counts += [f"{of.removed:,} removed"] if of.removed else []
    counts += [f"{of.kept:,} kept unseen"] if of.kept else []
    counts += [f"{len(of.failed):,} failed{_kinds(of.failed)}"]
    counts += [f"{damaged:,} damaged"] if damaged else []
    unread = of.annotation_problems
    counts += [f"{counted(unread, 'annotation')} not read"] if unread else []
    return counts


def _say_done(report: BuildReport) -> None:

    counts = outcomes(report, len(report.damaged))
    hashed = report.hashed
    rate = f", {hashed / report.seconds:,.0f} images/s" if hashed else ""
    say(
        f"{report.root}: {', '.join(counts)}; {counted(report.items, 'image')} in the index "
        f"({report.seconds:.1f} s{rate}; model {report.model}, {report.model_choice}, "
        f"{report.precision} on {report.device})"
    )


def _kinds(failures: Sequence[Failure]) -> str:
    """Say how many failures of each kind there are. Unreadable files alone need no words."""
    kinds = Counter(failure.kind for failure in failures)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    return f" ({counts})" if set(kinds) - {"unreadable"} else ""
