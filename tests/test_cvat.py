"""CVAT for images and for video: every image is an item or named, and every label is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipdex import Explorer, build
from clipdex.errors import DatasetError
from clipdex.readers import ReadItem, UnreadableItem, formats
from clipdex.readers.annotated import cvat_xml
from clipdex.readers.annotated.cvat import CvatReader
from clipdex.readers.formats import choose
from clipdex.readers.ordering import in_item_order
from clipdex.readers.providers import Core
from clipdex.testing import check_reader
from helpers_engine import make_folder, skip_without

TASK = "<version>1.1</version><meta><task><name>t</name><subset>{}</subset></task></meta>"
JOB = "<version>1.1</version><meta><job><id>3</id><labels><label><name>cat</name></label></labels></job></meta>"
PROJECT = "<version>1.1</version><meta><project><subsets><subset>train</subset></subsets></project></meta>"


FRENCH, CHINESE = "ch\u00e2t & ch\u0153ur", "\u732b"


def image(name: str, *labels: str, extra: str = "") -> str:
    boxes = "".join(f'<box label="{label}" xtl="1" ytl="1" xbr="5" ybr="5" occluded="0"/>' for label in labels)
    return f'<image id="{sum(map(ord, name))}" name="{name}" {extra}>{boxes}</image>\n'


def write(path: Path, *parts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<?xml version='1.0' encoding='utf-8'?>\n<annotations>{''.join(parts)}</annotations>", "utf-8")
    return path


def items(reader: CvatReader) -> dict[str, tuple[str, tuple[str, ...], str]]:
    return {
        item.id: (item.subset, item.labels, item.media) for item in in_item_order(reader) if isinstance(item, ReadItem)
    }


def failures(reader: CvatReader) -> dict[str, tuple[str, str]]:
    return {item.id: (item.kind, item.reason) for item in in_item_order(reader) if isinstance(item, UnreadableItem)}


@pytest.mark.parametrize("meta", [TASK.format(""), JOB, PROJECT, "", "<version>1.1</version>", "<!-- by hand -->"])
def test_what_meta_says_does_not_matter_for_names_and_labels(tmp_path, meta):
    make_folder(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "annotations.xml", meta, image("a.png", "cat", "dog", "cat"), image("b.png"))
    assert choose(tmp_path).format == "cvat"
    check_reader(
        CvatReader, tmp_path, items={"a.png": ("default", ("cat", "dog")), "b.png": ("default", ())}, failures={}
    )


def test_labels_are_of_tags_and_every_shape_but_not_of_joints_of_a_skeleton(tmp_path):
    make_folder(tmp_path, "a.png")
    shapes = (
        '<tag label="scene"/><polygon label="p" points="1,1;2,2;3,3"><attribute name="x">label</attribute></polygon>'
        '<mask label="m" rle="1, 2" left="0" top="0" width="2" height="2"/><cuboid label="c"/><ellipse label="e"/>'
        '<skeleton label="person"><points label="elbow" points="1,1"/></skeleton><polyline label="&amp;"/>'
    )
    write(tmp_path / "annotations.xml", JOB, f'<image id="0" name="a.png">{shapes}</image>')
    assert items(CvatReader(tmp_path))["a.png"][1] == ("scene", "p", "m", "c", "e", "person", "&")


def test_a_missing_image_is_named_and_the_others_are_read(tmp_path):
    make_folder(tmp_path / "images", "a.png")
    write(
        tmp_path / "train.xml",
        TASK.format(""),
        image("a.png", "cat"),
        image("gone.png", "dog"),
        image("https://x/b.png"),
    )
    reader = CvatReader(tmp_path)
    assert items(reader) == {"a.png": ("train", ("cat",), "images/a.png")}
    assert failures(reader) == {
        "gone.png": ("missing", "train.xml, line 3: no such file: gone.png"),
        "https://x/b.png": ("missing", "train.xml, line 4: addresses are not fetched"),
    }
    report = build(tmp_path)
    assert (report.added, [failure.kind for failure in report.failed]) == (1, ["missing", "missing"])


def test_an_image_on_a_disk_that_is_away_stays_in_the_index(tmp_path):
    disk = make_folder(tmp_path / "disk", "a.png", "b.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(disk)
    write(tmp_path / "data" / "annotations.xml", JOB, image("a.png", "cat"), image("b.png"))
    build(tmp_path / "data")
    disk.rename(tmp_path / "away")
    report = build(tmp_path / "data")
    assert (report.kept, report.items) == (2, 2)


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("images/a.png", "a.png"),
        ("images/train/a.png", "a.png"),
        ("a.png", "a.png"),
        ("train/a.png", "a.png"),
        ("images/x/a.png", "x/a.png"),
        ("images/x/a.png", r"x\a.png"),
        ("images/x/a.png", "./x/a.png"),
        ("images/a.png", r"C:\photos\cats\a.png"),
        ("images/a.png", "/home/another/a.png"),
        ("images/a.png", "x/y/a.png"),
        ("images/a.png", "a"),
        ("images/Cafe\u0301.png", "Caf\u00e9.png"),
        ("images/a & b.png", "a & b.png"),
    ],
)
def test_images_are_found_where_cvat_and_its_users_put_them(tmp_path, file, named):
    make_folder(tmp_path, file)
    write(tmp_path / "annotations.xml", JOB, image(named, "cat", extra='subset="train"'))
    (found,) = in_item_order(CvatReader(tmp_path))
    assert isinstance(found, ReadItem), found
    assert (found.subset, found.labels, found.media or found.id) == ("train", ("cat",), file)


def test_a_folder_of_annotations_beside_the_images_is_read(tmp_path):
    make_folder(tmp_path / "images", "train/a.png", "val/a.png")
    for subset in ("train", "val"):
        write(tmp_path / "annotations" / f"{subset}.xml", JOB, image("a.png", subset))
    assert choose(tmp_path).format == "cvat"
    found = {(item.id, item.subset, item.labels, item.media) for item in in_item_order(CvatReader(tmp_path))}
    assert found == {
        ("a.png", "train", ("train",), "images/train/a.png"),
        ("a.png", "val", ("val",), "images/val/a.png"),
    }


def test_same_names_in_different_subsets_are_different_images(tmp_path):
    make_folder(tmp_path / "images", "train/a.png", "val/a.png", "train/b.png")
    names = (("a.png", "train"), ("a.png", "val"), ("b.png", "train"))
    write(tmp_path / "annotations.xml", PROJECT, *(image(n, s, extra=f'subset="{s}"') for n, s in names))
    found = {(item.id, item.subset): item.media for item in in_item_order(CvatReader(tmp_path))}
    assert found == {(name, subset): f"images/{subset}/{name}" for name, subset in names}


def test_several_exports_side_by_side_lose_no_image(tmp_path):
    for task in ("task_1", "task_2"):
        make_folder(tmp_path / task / "images", "a.png")
        write(tmp_path / task / "annotations.xml", JOB, image("a.png", task))
    assert {name: labels for name, (_, labels, _) in items(CvatReader(tmp_path)).items()} == {
        "task_1/a.png": ("task_1",),
        "task_2/a.png": ("task_2",),
    }


def test_an_image_of_two_files_has_the_labels_of_both(tmp_path):
    make_folder(tmp_path / "images", "a.png")
    for number, label in enumerate(("cat", "dog")):
        write(tmp_path / f"annotations_{number}.xml", JOB, image("a.png", label))
    assert items(CvatReader(tmp_path)) == {"a.png": ("default", ("cat", "dog"), "images/a.png")}


def test_a_video_is_read_frame_by_frame(tmp_path):
    make_folder(tmp_path / "images", *(f"frame_{number:06}.png" for number in range(4)))
    boxes = "".join(
        f'<box frame="{frame}" outside="{outside}" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2"/>'
        for frame, outside in ((0, 0), (2, 0), (3, 1))
    )
    other = '<box frame="3" outside="0" xtl="1" ytl="1" xbr="2" ybr="2"/>'
    write(tmp_path / "annotations.xml", JOB, f'<track id="0" label="car">{boxes}</track>',
          f'<track id="1" label="bus">{other}</track>')  # fmt: skip
    assert choose(tmp_path).format == "cvat"
    reader = CvatReader(tmp_path)
    assert [(name, labels) for name, (_, labels, _) in items(reader).items()] == [
        ("frame_000000.png", ("car",)),
        ("frame_000001.png", ("car",)),
        ("frame_000002.png", ("car",)),
        ("frame_000003.png", ("bus",)),
    ]
    assert (reader.annotation_problems.count, reader.remarks) == (0, [])


def test_a_video_without_frames_says_what_to_make(tmp_path):
    write(tmp_path / "annotations.xml", JOB, '<track id="0" label="car"><box frame="7"/><box frame="8"/></track>')
    ((kind, reason),) = failures(CvatReader(tmp_path)).values()
    assert kind == "missing"
    assert "2 frames of a video" in reason
    assert "frame_000000.jpg" in reason


def test_what_cannot_be_read_is_named_by_line_and_its_image_stays(tmp_path):
    make_folder(tmp_path / "images", "a.png", "b.png")
    body = (
        '\n<image id="0" name="a.png"><box label="cat"/><box/>\n<tag/></image>\n<image id="1"/>\n'
        '<track><box frame="x"/></track>'
    )
    write(tmp_path / "annotations.xml", JOB, body, image("b.png", "dog"))
    reader = CvatReader(tmp_path)
    assert {name: labels for name, (_, labels, _) in items(reader).items()} == {"a.png": ("cat",), "b.png": ("dog",)}
    assert [(problem.line, problem.reason) for problem in reader.annotation_problems.named] == [
        (3, "a box without a label"),
        (4, "a tag without a label"),
        (5, "an image without a name"),
        (6, "a shape of a track without the number of its frame"),
        (6, "a track without a label"),
    ]


BOMB = '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>\n<annotations><image name="&b;"/></annotations>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "declares entities"),
        ("<annotations>" + "<a>" * 100_000, "elements are nested"),
        ("<annotations><meta/>", "no valid XML"),
        ("<annotations>\0", "no valid XML"),
        ("<?xml version='1.0' encoding='nonsense'?><annotations/>", "XML"),
    ],
)
def test_damaged_and_hostile_files_give_a_sentence(tmp_path, text, said):
    make_folder(tmp_path / "images", "a.png")
    write(tmp_path / "a.xml", JOB, image("a.png", "cat"))
    (tmp_path / "b.xml").write_text(text)
    reader = CvatReader(tmp_path)
    assert list(items(reader)) == ["a.png"]
    (problem,) = reader.annotation_problems.named
    assert problem.file == "b.xml"
    assert said in problem.reason


def test_what_is_before_the_damage_is_read(tmp_path):
    make_folder(tmp_path / "images", "a.png")
    path = write(tmp_path / "annotations.xml", JOB, image("a.png", "cat"), image("b.png", "dog"))
    path.write_text(path.read_text()[:-40])
    reader = CvatReader(tmp_path)
    assert items(reader)["a.png"][1] == ("cat",)
    assert reader.annotation_problems.count == 1


@pytest.mark.parametrize(
    ("cut", "labels"),
    [
        ('label="bird"', {"a.png": ("cat",), "b.png": ("dog",)}),
        ('<box label="dog"', {"a.png": ("cat",), "b.png": ()}),
        ('name="b.png"', {"a.png": ("cat",)}),
    ],
)
def test_of_an_image_that_is_cut_off_all_before_the_cut_is_kept(tmp_path, cut, labels):
    make_folder(tmp_path / "images", "a.png", "b.png")
    path = write(tmp_path / "annotations.xml", JOB, image("a.png", "cat"), image("b.png", "dog", "bird"))
    text = path.read_text()
    path.write_text(text[: text.index(cut)])
    reader = CvatReader(tmp_path)
    assert {name: found for name, (_, found, _) in items(reader).items()} == labels
    (problem,) = reader.annotation_problems.named
    assert (problem.file, problem.line) == ("annotations.xml", 3)


def test_a_track_that_is_cut_off_is_kept(tmp_path):
    make_folder(tmp_path / "images", "frame_000000.png", "frame_000001.png")
    write(tmp_path / "annotations.xml", JOB, '<track label="car"><box frame="1"/><box frame="x')
    assert items(CvatReader(tmp_path))["frame_000001.png"][1] == ("car",)


@pytest.mark.parametrize(
    ("encoding", "block"), [("utf-8", 1), ("utf-8", 7), ("utf-8", 1 << 16), ("utf-16", 7), ("utf-16", 1 << 16)]
)
def test_ampersands_that_are_not_escaped_are_read(tmp_path, block, encoding, monkeypatch):
    make_folder(tmp_path / "images", "a.png")
    raw = "R&D" if encoding == "utf-8" else "R&amp;D"
    path = write(tmp_path / "annotations.xml", JOB, image("a.png", raw, "x&amp;y", "a&#60;b", "&#x26;&quot;"))
    path.write_text(path.read_text().replace("encoding='utf-8'", ""), encoding)
    monkeypatch.setattr(cvat_xml, "_BLOCK", block)
    reader = CvatReader(path)
    assert items(reader)["a.png"][1] == ("R&D", "x&y", "a<b", '&"')
    assert reader.annotation_problems.count == 0


@pytest.mark.parametrize(
    ("xml", "folder", "subset"),
    [
        ("annotations.xml", "images/default", "default"),
        ("labels.xml", "data", "default"),
        ("default.xml", "images", "default"),
        ("annotations.xml", "images/val", "val"),
        ("annotations.xml", "images/part 1", "default"),
        ("annotations.xml", "test", "test"),
    ],
)
def test_images_without_subset_are_found_in_folders_of_subsets(tmp_path, xml, folder, subset):
    make_folder(tmp_path / folder, "a.png", "b.png")
    make_folder(tmp_path / "images", "masks/a.png")
    write(tmp_path / xml, JOB, image("a.png", "cat"), image("b.png", "dog"))
    found = items(CvatReader(tmp_path))
    assert found == {"a.png": (subset, ("cat",), f"{folder}/a.png"), "b.png": (subset, ("dog",), f"{folder}/b.png")}


def test_an_image_without_subset_that_several_folders_have_is_missing(tmp_path):
    make_folder(tmp_path / "images", "train/a.png", "val/a.png", "val/b.png")
    write(tmp_path / "annotations.xml", JOB, image("a.png"), image("b.png"))
    reader = CvatReader(tmp_path)
    assert list(items(reader)) == ["b.png"]
    assert list(failures(reader)) == ["a.png"]


def test_one_image_that_is_found_otherwise_is_told_in_the_singular(tmp_path):
    make_folder(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "annotations.xml", JOB, image("x/a.png"), image("b.png"))
    reader = CvatReader(tmp_path)
    assert len(items(reader)) == 2
    assert reader.remarks == ["annotations.xml: 1 image was found only without the first folders of its name."]


@pytest.mark.parametrize(("named", "here"), [("a%20b.png", "a b.png"), ("a.png", "A.PNG"), ("a.jpg", "a.png")])
def test_names_that_are_written_otherwise_are_found_and_told(tmp_path, named, here):
    make_folder(tmp_path / "images", here)
    write(tmp_path / "annotations.xml", JOB, image(named, "cat"))
    reader = CvatReader(tmp_path)
    assert items(reader) == {named: ("default", ("cat",), f"images/{here}")}
    assert reader.remarks == [f"annotations.xml: 1 image is called otherwise here, such as images/{here} for {named}."]


@pytest.mark.parametrize("block", [1, 5, 1 << 16])
@pytest.mark.parametrize("declared", [b"", b"<?xml version='1.0' encoding='utf-8'?>"])
def test_letters_that_are_no_utf8_are_read_as_those_of_windows(tmp_path, block, declared, monkeypatch):
    make_folder(tmp_path / "images", "a.png", "b.png")
    body = f"<annotations>{JOB}{image('a.png', FRENCH)}".encode("cp1252")
    body += f"{image('b.png', CHINESE)}</annotations>".encode()
    (tmp_path / "annotations.xml").write_bytes(declared + body)
    monkeypatch.setattr(cvat_xml, "_BLOCK", block)
    reader = CvatReader(tmp_path)
    assert [labels for _, labels, _ in items(reader).values()] == [(FRENCH,), (CHINESE,)]
    (problem,) = reader.annotation_problems.named
    assert problem.reason == "from here on it is not all valid UTF-8: other letters are read as those of Windows"


def test_another_encoding_that_is_declared_is_read(tmp_path):
    make_folder(tmp_path / "images", "a.png")
    label = "ch\u00e2t & co"
    text = f"<?xml version='1.0' encoding='iso-8859-1'?><annotations>{JOB}{image('a.png', label)}</annotations>"
    (tmp_path / "annotations.xml").write_bytes(text.encode("latin-1"))
    reader = CvatReader(tmp_path)
    assert items(reader)["a.png"][1] == (label,)
    assert reader.annotation_problems.count == 0


def test_a_label_without_end_is_cut_off_and_told(tmp_path):
    make_folder(tmp_path / "images", "a.png")
    write(tmp_path / "annotations.xml", JOB, image("a.png", "x" * 5000, "cat"))
    reader = CvatReader(tmp_path)
    assert items(reader)["a.png"][1] == ("x" * 1000 + "...", "cat")
    (problem,) = reader.annotation_problems.named
    assert problem.reason == "the label of a box has 5,000 characters, and is cut off"


def test_images_that_the_xml_leaves_out_are_counted(tmp_path):
    make_folder(tmp_path / "images", "a.png", "b.png", "c.png")
    write(tmp_path / "annotations.xml", JOB, image("a.png", "cat"))
    reader = CvatReader(tmp_path)
    items(reader)
    (remark,) = reader.remarks
    assert "2 images of the folder are left out" in remark
    assert "such as images/b.png" in remark
    assert "--format folder" in remark


def test_other_xml_is_left_alone(tmp_path):
    make_folder(tmp_path, "a.png")
    (tmp_path / "feed.xml").write_text("<annotations/>")
    (tmp_path / "a.xml").write_text("<annotation><filename>a.png</filename></annotation>")
    assert CvatReader.detect(tmp_path) is None
    with pytest.raises(DatasetError, match="none begins with <annotations>"):
        (tmp_path / "feed.xml").unlink()
        list(CvatReader(tmp_path).read())


def test_one_file_is_a_dataset_too(tmp_path):
    make_folder(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "val.xml", JOB, image("a.png", "cat"))
    path = write(tmp_path / "train.xml", JOB, image("b.png", "dog"))
    report = build(path)
    assert (report.items, report.remarks) == (1, ())
    with Explorer(path) as explorer:
        assert explorer.item("b.png").labels == ("dog",)


def test_an_index_that_datumaro_made_is_taken_over_without_hashing(tmp_path, monkeypatch):
    skip_without("datumaro")
    make_folder(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "annotations.xml", TASK.format(""), image("a.png", "cat"), image("b.png", "dog"))
    with monkeypatch.context() as patch:
        patch.setattr(Core, "_READERS", {name: where for name, where in Core._READERS.items() if name != "cvat"})
        formats.reload()
        assert build(tmp_path, format="cvat").added == 2
    formats.reload()
    report = build(tmp_path)
    assert (report.added, report.changed, report.renamed) == (0, 0, 2)
    with Explorer(tmp_path) as explorer:
        assert explorer.item("a").id == "a.png"


def test_images_in_folders_of_subsets_are_found_beside_very_many_files(tmp_path):
    write(tmp_path / "annotations.xml", image("a.png", "cat"), image("b.png", "dog"))
    make_folder(tmp_path / "images", "train/a.png", "val/b.png")
    for number in range(2000):
        (tmp_path / f"images/{number}.txt").touch()
    reader = CvatReader(tmp_path)
    assert items(reader) == {
        "a.png": ("train", ("cat",), "images/train/a.png"),
        "b.png": ("val", ("dog",), "images/val/b.png"),
    }
    assert failures(reader) == {}
