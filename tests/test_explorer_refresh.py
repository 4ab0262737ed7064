"""An explorer and the builds of others: it answers from its snapshot until it is refreshed."""

from __future__ import annotations

import pytest

from clipdex import Explorer, build
from clipdex.errors import IndexNotFound, ModelMismatch, QueryError
from helpers_engine import make_folder, renamed_model


@pytest.fixture
def root(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number}.png" for number in range(8)))
    build(root)
    return root


def ids(explorer, item):
    return [hit.id for hit in explorer.explore_topk(explorer.item(item))]


def test_an_explorer_answers_from_its_snapshot_until_it_is_refreshed(root):
    with Explorer(root) as explorer:
        before = ids(explorer, "0.png")
        for number in range(7):
            (root / f"{number}.png").unlink()
        make_folder(root, "new.png", seed=50)
        build(root, rebuild=True, prune=True)
        assert len(list((root / ".clipdex" / "segments").glob("*.faiss"))) == 1
        assert ids(explorer, "0.png") == before
        assert len(explorer) == 8
        assert explorer.refresh()
        assert not explorer.refresh()
        assert sorted(ids(explorer, "new.png")) == ["7.png", "new.png"]
        assert len(explorer) == 2


def test_refreshing_to_another_model_loads_that(root, tmp_path):
    with Explorer(root) as explorer:
        assert explorer.explore_topk("dog").datasets[0].model == "starter"
        build(root, rebuild=True, model=str(renamed_model(tmp_path / "model", "mine")))
        assert explorer.explore_topk("dog").datasets[0].model == "starter"
        explorer.refresh()
        assert explorer.explore_topk("dog").datasets[0].model == "mine"
        assert explorer.encoder.model.name == "mine"


def test_an_explorer_that_cannot_be_refreshed_stays_as_it_was(root, tmp_path):
    other = make_folder(tmp_path / "other", "x.png")
    build(other)
    with Explorer(root, other) as explorer:
        before = ids(explorer, "0.png")
        build(other, rebuild=True, model=str(renamed_model(tmp_path / "model", "mine")))
        with pytest.raises(ModelMismatch):
            explorer.refresh()
        assert ids(explorer, "0.png") == before
        (root / ".clipdex" / "manifest.json").unlink()
        with pytest.raises(IndexNotFound):
            explorer.refresh()
        assert ids(explorer, "0.png") == before
    with pytest.raises(QueryError, match="closed"):
        explorer.refresh()
