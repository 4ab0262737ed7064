from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import DatasetItem, Explorer, ImageQuery, ItemQuery, TextQuery, build
from clipdex.errors import (
    DatasetNotFound,
    DatasetNotIndexed,
    ItemAmbiguous,
    ItemNotFound,
    QueryError,
    QueryImageError,
)
from helpers_engine import claim_size, distance, make_folder, picture, rows_and_keys


@pytest.fixture(scope="module")
def explorer(photos):
    with Explorer(photos) as opened:
        yield opened


@pytest.fixture(scope="module")
def keys(photos):
    """Each item's id and key, in item order."""
    return [(row.id, key) for row, key in rows_and_keys(photos / ".clipdex")]


@pytest.fixture(scope="module")
def halves(photos, tmp_path_factory):
    """The photos as two datasets, with the same model."""
    folder = tmp_path_factory.mktemp("halves")
    for name, kinds in (("one", ("animals", "food", "people")), ("two", ("places", "plants", "things", "vehicles"))):
        for kind in kinds:
            shutil.copytree(photos / kind, folder / name / kind)
        build(folder / name)
    return folder / "one", folder / "two"


def found(result):
    return [(hit.id, hit.distance) for hit in result]


def nearest(keys, query: bytes):
    """Brute force: every item with its distance, nearest first, ties in item order."""
    return sorted(((item_id, distance(key, query)) for item_id, key in keys), key=lambda pair: (pair[1], pair[0]))


def text_key(encoder, text):
    return encoder.text_key(text).key.tobytes()


@pytest.mark.parametrize("text", ["a dog", "train", "flowers in the grass", "a red sunset over the sea."])
def test_a_text_query_is_exact(explorer, keys, encoder, text):
    assert found(explorer.explore_topk(text, topk=15)) == nearest(keys, text_key(encoder, text))[:15]


@pytest.mark.parametrize("name", ["animals/koala", "food/fig", "vehicles/jet-plane"])
def test_an_item_query_is_exact_and_finds_itself_first(explorer, keys, name):
    item = explorer.item(name)
    result = explorer.explore_topk(item, topk=12)
    assert found(result) == nearest(keys, item.hash_key.tobytes())[:12]
    assert (result[0].id, result[0].distance) == (item.id, 0)


@pytest.mark.parametrize("name", ["animals/elephant.png", "people/astronaut.jpg", "animals/kingfisher.webp"])
def test_an_image_query_by_path_and_in_memory_equals_the_item(explorer, photos, name):
    by_item = found(explorer.explore_topk(ItemQuery(name), topk=12))
    assert found(explorer.explore_topk(photos / name, topk=12)) == by_item
    with Image.open(photos / name) as image:
        in_memory = explorer.explore_topk(image, topk=12)
    # A large JPEG in a file is decoded smaller than the same one that a caller has decoded.
    assert in_memory[0].id == name
    assert in_memory[0].distance <= 10


def test_an_image_in_memory_is_turned_upright_like_a_file(explorer, photos, tmp_path):
    with Image.open(photos / "animals" / "elephant.png") as image:
        turned = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    by_path = found(explorer.explore_topk(tmp_path / "turned.png"))
    with Image.open(tmp_path / "turned.png") as image:
        assert found(explorer.explore_topk(image)) == by_path
    assert by_path[0][0] == "animals/elephant.png"


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_an_image_in_memory_of_any_mode_is_a_query(explorer, mode):
    grey = Image.new("L", (50, 40), 90)
    image = Image.fromarray(np.full((40, 50), 9000, np.uint16)) if mode == "I;16" else grey.convert(mode)
    result = explorer.explore_topk(image, topk=3)
    assert len(result) == 3
    assert result.queries[0].kind == "image"
    assert result.images[0].mode == "RGB"


def test_an_image_in_memory_that_cannot_be_decoded_is_a_query_error(explorer, photos, tmp_path):
    data = (photos / "food" / "fig.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with Image.open(tmp_path / "cut.jpg") as image, pytest.raises(QueryImageError):
        explorer.explore_topk(image)


def test_a_list_of_one_kind_takes_each_item_once_at_its_best_distance(explorer, keys, encoder):
    texts = ["motorcycle", "bus", "a train"]
    by_query = [dict(nearest(keys, text_key(encoder, text))) for text in texts]
    best = sorted(
        ((item_id, min(answer[item_id] for answer in by_query)) for item_id, _ in keys),
        key=lambda pair: (pair[1], pair[0]),
    )
    for k in (1, 2, 3, 10, 100):
        result = explorer.explore_topk(texts, topk=k)
        assert found(result) == best[:k]
        for hit in result:
            assert hit.distance == by_query[hit.query][hit.id]


def test_items_and_images_are_one_kind(explorer, photos):
    result = explorer.explore_topk([photos / "food" / "fig.jpg", explorer.item("animals/koala")], topk=10)
    assert result.merge == "distance"
    assert {(hit.id, hit.query, hit.distance) for hit in result[:2]} == {
        ("food/fig.jpg", 0, 0),
        ("animals/koala.jpg", 1, 0),
    }


def test_the_best_of_each_query_is_at_the_top_of_a_mixed_list(explorer, photos, keys, encoder):
    result = explorer.explore_topk(["train", photos / "places" / "pagoda.jpg", explorer.item("plants/dahlia")], topk=9)
    assert result.merge == "rank"
    text_best = nearest(keys, text_key(encoder, "train"))[0]
    assert [(hit.id, hit.query) for hit in result[:3]] == [
        (text_best[0], 0),
        ("places/pagoda.jpg", 1),
        ("plants/dahlia.jpg", 2),
    ]
    assert len({hit.id for hit in result}) == 9
    assert {hit.query for hit in result[3:]} == {0, 1, 2}
    assert [hit.rank for hit in result] == list(range(1, 10))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_list_longer_than_k_still_gives_k_hits(explorer, photos, k):
    queries = ["dog", "train", photos / "food" / "fig.jpg", "flower"]
    result = explorer.explore_topk(queries, topk=k)
    assert len(result) == k
    assert [hit.query for hit in result] == list(range(k))


def test_the_same_query_twice_changes_nothing(explorer):
    assert found(explorer.explore_topk(["dog", "dog"], topk=9)) == found(explorer.explore_topk("dog", topk=9))


def test_datasets_that_are_merged_equal_one_that_holds_all(explorer, halves, photos):
    with Explorer(*halves) as both:
        for query in (
            "dog",
            photos / "food" / "fig.jpg",
            ["dog", "train", "flower"],
            ["dog", photos / "food" / "fig.jpg"],
        ):
            for k in (1, 5, 40):
                one = explorer.explore_topk(query, topk=k)
                two = both.explore_topk(query, topk=k)
                assert [hit.distance for hit in two] == [hit.distance for hit in one]
        assert found(both.explore_topk("dog")) == found(explorer.explore_topk("dog"))
        assert [record.name for record in two.datasets] == ["one", "two"]
        everything = both.explore_topk("dog", topk=40)
        assert {hit.path for hit in everything} == {str(path) for root in halves for path in root.glob("[!.]*/*")}


def test_the_same_target_twice_is_searched_once(photos):
    with Explorer(photos, str(photos) + "/", photos / "." / "animals" / "..") as explorer:
        assert [dataset.name for dataset in explorer.datasets] == ["photos"]
        assert len(explorer) == 40


def test_folders_of_the_same_name_get_names_of_their_own(odd, tmp_path):
    copies = [Path(shutil.copytree(odd, tmp_path / parent / "odd")) for parent in ("a", "b", "c")]
    with Explorer(*copies) as explorer:
        result = explorer.explore_topk("dog", topk=18)
        assert [record.name for record in result.datasets] == ["odd", "odd-2", "odd-3"]
        # Three copies of each picture are as near; then the order of the datasets decides.
        assert [hit.dataset for hit in result[:3]] == ["odd", "odd-2", "odd-3"]
        assert len({hit.path for hit in result}) == 18
        assert explorer.item("odd-2:loose").path == copies[1] / "loose.png"
        with pytest.raises(ItemAmbiguous, match=r"odd-2:loose\.png"):
            explorer.item("loose")
        assert explorer.item("loose", dataset="odd-3").path == copies[2] / "loose.png"


def test_more_than_there_are_gives_all(explorer):
    assert len(explorer.explore_topk("dog", topk=10_000)) == len(explorer) == 40


def test_fifty_is_the_usual_number_and_the_explorer_can_have_another(photos):
    with Explorer(photos) as explorer:
        assert explorer.explore_topk("dog").topk == 50
    with Explorer(photos, topk=3) as explorer:
        assert len(explorer.explore_topk("dog")) == 3
        assert len(explorer.explore_topk("dog", topk=5)) == 5


@pytest.mark.parametrize("k", [0, -1, True, 2.5, "10"])
def test_a_number_of_hits_that_is_none_is_refused(photos, explorer, k):
    with pytest.raises(QueryError, match="topk"):
        explorer.explore_topk("dog", topk=k)
    with pytest.raises(QueryError, match="topk"):
        Explorer(photos, topk=k)


def test_exclude_self_leaves_out_what_was_asked_with_and_still_gives_k(explorer):
    item, other = explorer.item("animals/koala"), explorer.item("food/fig")
    whole = found(explorer.explore_topk(item, topk=40))
    assert found(explorer.explore_topk(item, topk=7, exclude_self=True)) == whole[1:8]
    both = explorer.explore_topk([item, other, "dog"], topk=40, exclude_self=True)
    assert len(both) == 38
    assert not {item.id, other.id} & {hit.id for hit in both}


def test_exclude_self_leaves_out_the_item_and_not_its_twin(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    shutil.copy(root / "a.png", root / "b.png")
    with Explorer(root, build=True) as explorer:
        assert found(explorer.explore_topk(explorer.item("b"), exclude_self=True)) == [("a.png", 0)]
        assert found(explorer.explore_topk(explorer.item("b"))) == [("a.png", 0), ("b.png", 0)]


def test_an_item_says_what_it_is(explorer, photos, keys):
    item = explorer.item("plants/dahlia.jpg")
    assert isinstance(item, DatasetItem)
    assert (item.id, item.subset, item.labels, item.dataset) == ("plants/dahlia.jpg", "default", ("plants",), "photos")
    assert item.path == photos / "plants" / "dahlia.jpg"
    assert item.hash_key.tobytes() == dict(keys)[item.id]
    assert explorer.item("plants/dahlia").id == item.id
    assert explorer.item("photos:plants/dahlia").id == item.id


def test_an_id_without_extension_must_be_unambiguous(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "a.jpg", "b.png", "c", "c.png")
    with Explorer(root, build=True) as explorer:
        assert explorer.item("b").id == "b.png"
        assert explorer.item("a.jpg").id == "a.jpg"
        assert explorer.item("c").id == "c"
        with pytest.raises(ItemAmbiguous) as caught:
            explorer.item("a")
        assert "a.jpg" in caught.value.message
        assert "a.png" in caught.value.message


def test_an_unknown_id_is_answered_with_the_nearest(explorer):
    with pytest.raises(ItemNotFound) as caught:
        explorer.explore_topk(ItemQuery("plants/dalia"))
    assert "plants/dahlia.jpg" in caught.value.message
    with pytest.raises(ItemNotFound):
        explorer.item("")
    with pytest.raises(ItemNotFound, match="subset train"):
        explorer.item("plants/dahlia", "train")
    with pytest.raises(ItemNotFound):
        explorer.item("../photos/plants/dahlia")


def test_a_subset_chooses_among_items(odd):
    with Explorer(odd) as explorer:
        assert explorer.item("val/dog/a", "val").id == "val/dog/a.png"
        with pytest.raises(ItemNotFound, match="subset train"):
            explorer.item("val/dog/a", "train")


def test_results_say_what_was_asked(explorer, photos):
    long = "a dog and " * 200
    result = explorer.explore_topk(
        [TextQuery("dog"), TextQuery(long), ImageQuery(photos / "food/fig.jpg"), ItemQuery("food/fig")]
    )
    text, cut, image, item = result.queries
    assert (text.kind, text.value, text.encoded, text.truncated) == ("text", "dog", "a photo of a dog", False)
    assert cut.truncated
    assert (image.kind, image.path) == ("image", str(photos / "food/fig.jpg"))
    assert (item.kind, item.value, item.subset, item.dataset) == ("item", "food/fig.jpg", "default", "photos")
    record = result.datasets[0]
    assert (record.name, record.root, record.items, record.model, record.bits) == (
        "photos",
        str(photos),
        40,
        "starter",
        512,
    )


@pytest.mark.parametrize("query", ["", "  \n", [""], [], None, 7, b"dog", [["dog"]]])
def test_what_is_no_query_is_refused(explorer, query):
    with pytest.raises(QueryError):
        explorer.explore_topk(query)


def test_a_query_image_that_cannot_be_read_is_named(explorer, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    claim_size(tmp_path / "huge.png", 60_000, 60_000)
    for name, says in (("none.jpg", "no such file"), ("broken.jpg", "not an image"), ("huge.png", "--max-pixels")):
        with pytest.raises(QueryImageError) as caught:
            explorer.explore_topk(tmp_path / name)
        assert name in caught.value.message
        assert says in caught.value.message
    with pytest.raises(QueryImageError):
        explorer.explore_topk(tmp_path)
    with pytest.raises(QueryImageError):
        explorer.explore_topk(Path("~nobody-of-that-name/x.png"))


def test_a_limit_on_pixels_is_a_setting(photos, tmp_path):
    picture(1, (100, 100)).save(tmp_path / "a.png")
    with Explorer(photos, max_pixels=9_999) as explorer, pytest.raises(QueryImageError, match="9,999"):
        explorer.explore_topk(tmp_path / "a.png")


def test_targets_that_cannot_be_searched_say_what_to_do(photos, tmp_path):
    with pytest.raises(QueryError, match="at least one"):
        Explorer()
    with pytest.raises(DatasetNotFound, match="does not exist"):
        Explorer(tmp_path / "nothing")
    with pytest.raises(DatasetNotFound):
        Explorer("x" * 5000)
    make_folder(tmp_path / "with space", "a.png")
    with pytest.raises(DatasetNotIndexed) as caught:
        Explorer(photos, tmp_path / "with space")
    assert f"clipdex build '{tmp_path / 'with space'}'" in caught.value.message
    with pytest.raises(QueryError, match="one index"):
        Explorer(photos, tmp_path, index=tmp_path)


def test_an_explorer_keeps_its_answers_while_the_index_is_built_anew(odd_copy):
    with Explorer(odd_copy) as explorer:
        before = found(explorer.explore_topk("dog"))
        picture(77).save(odd_copy / "new.png")
        (odd_copy / "loose.png").unlink()
        build(odd_copy)
        assert found(explorer.explore_topk("dog")) == before
    with Explorer(odd_copy) as explorer:
        assert {hit.id for hit in explorer.explore_topk("dog")} ^ {item for item, _ in before} == {
            "new.png",
            "loose.png",
        }


def test_exact_ties_at_the_last_place_go_by_item_order(tmp_path):
    root = make_folder(tmp_path / "data", "m.png")
    for name in ("z", "a", "k", "b/x", "c"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "m.png", root / f"{name}.png")
    with Explorer(root, build=True) as explorer:
        for k in range(1, 7):
            expected = ["a.png", "b/x.png", "c.png", "k.png", "m.png", "z.png"][:k]
            assert [hit.id for hit in explorer.explore_topk(explorer.item("m"), topk=k)] == expected


@pytest.mark.parametrize(("target", "said"), [(3, "not an int"), (None, "not None"), (["photos"], "one by one")])
def test_what_is_no_location_of_a_dataset_is_refused_with_what_is_one(target, said):
    with pytest.raises(TypeError, match=f"folders and other locations of datasets.*{said}"):
        Explorer(target)


@pytest.mark.parametrize(("query", "said"), [(3, "an int is"), (np.float32(2), "a float32 is"), (None, "None is")])
def test_what_is_no_query_is_refused_with_its_type(photos, query, said):
    with Explorer(photos) as explorer, pytest.raises(QueryError, match=f"^{said} no query: give a str"):
        explorer.explore_topk(query)
