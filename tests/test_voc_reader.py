"""Pascal VOC: layouts, lists, labels, and what is wrong with them."""

from __future__ import annotations

import os

import pytest

from clipdex import build
from clipdex.errors import DatasetError
from clipdex.readers.annotated.voc import VocReader
from clipdex.readers.formats import choose
from clipdex.testing import check_reader
from helpers_voc import annotation, problems, reading, voc

VOC2007 = {
    "Annotations/000005.xml": annotation(
        "chair", "chair", "diningtable", filename="000005.jpg", folder="VOC2007", end="\n"
    ),
    "Annotations/000007.xml": ("car",),
    "Annotations/000001.xml": ("dog", "person"),
    "ImageSets/Layout/train.txt": "000007\n",
    "ImageSets/Main/aeroplane_train.txt": "000005 -1\n000032  1\n",
    "ImageSets/Main/person_train.txt": "000005 -1\n000032  1\n",
    "ImageSets/Main/dog_train.txt": "000005 -1\n000032  0\n",
    "ImageSets/Main/train.txt": "000005\n000032\n",
    "ImageSets/Main/trainval.txt": "000005\n000007\n000032\n",
    "ImageSets/Main/val.txt": "000007\n",
    "ImageSets/Main/test.txt": "000001\n",
    "ImageSets/Segmentation/train.txt": "000032\n",
    "JPEGImages/000001.jpg": "",
    "JPEGImages/000005.jpg": "",
    "JPEGImages/000007.jpg": "",
    "JPEGImages/000032.jpg": "",
    "SegmentationClass/000032.png": "",
    "SegmentationObject/000032.png": "",
}
READ = {
    "test/000001.jpg": ("dog", "person"),
    "train/000005.jpg": ("chair", "diningtable"),
    "val/000007.jpg": ("car",),
    "train/000032.jpg": ("aeroplane", "person"),
}


def test_voc2007_is_read_with_its_subsets_objects_and_classes(tmp_path):
    root = voc(tmp_path / "VOC2007", VOC2007)
    items, failed, reader = reading(root)
    assert (items, failed, problems(reader), reader.remarks) == (READ, {}, [], [])
    check_reader(VocReader, root)
    assert choose(root).format == "voc"


def test_devkit_is_read_with_all_its_years(tmp_path):
    root = voc(tmp_path / "VOCdevkit", {f"VOC2007/{name}": content for name, content in VOC2007.items()})
    (root / "VOCcode").mkdir()
    (root / "VOCcode" / "VOCinit.m").write_text("clear VOCopts")
    assert choose(root).format == "voc"
    assert choose(tmp_path).format == "voc"
    assert reading(root)[0] == READ
    assert reading(tmp_path)[0] == READ
    voc(
        root,
        {
            "VOC2012/JPEGImages/2008_000008.jpg": "",
            "VOC2012/JPEGImages/000005.jpg": "",
            "VOC2012/Annotations/2008_000008.xml": ("horse",),
            "VOC2012/Annotations/000005.xml": ("bus",),
            "VOC2012/ImageSets/Main/train.txt": "000005\n2008_000008\n",
        },
    )
    assert choose(root).format == "voc"
    both = {"train/2008_000008.jpg": ("horse",), "train/VOC2012/JPEGImages/000005.jpg": ("bus",)}
    assert reading(root)[0] == READ | both
    check_reader(VocReader, root)


LAYOUTS = {
    "without lists": (
        {
            "JPEGImages/a.jpg": "",
            "JPEGImages/x/b.png": "",
            "Annotations/a.xml": ("cat",),
            "Annotations/x/b.xml": ("dog",),
        },
        {"default/a.jpg": ("cat",), "default/x/b.png": ("dog",)},
    ),
    "lower case": (
        {"images/a.JPG": "", "images/b.jpeg": "", "annotations/a.xml": ("cat",), "annotations/b.xml": ("dog",)},
        {"default/a.JPG": ("cat",), "default/b.jpeg": ("dog",)},
    ),
    "beside each other": (
        {"a photo.jpg": "", "a photo.xml": ("cat",), "x/b.png": "", "x/b.xml": ("dog",)},
        {"default/a photo.jpg": ("cat",), "default/x/b.png": ("dog",)},
    ),
    "of Roboflow": (
        {
            "README.roboflow.txt": "This dataset",
            "train/a_jpg.rf.1.jpg": "",
            "train/a_jpg.rf.1.xml": ("cat",),
            "valid/a_jpg.rf.1.jpg": "",
            "valid/a_jpg.rf.1.xml": ("dog",),
            "test/c.jpg": "",
            "test/c.xml": (),
        },
        {"train/a_jpg.rf.1.jpg": ("cat",), "valid/a_jpg.rf.1.jpg": ("dog",), "test/c.jpg": ()},
    ),
    "of the pets of Oxford": (
        {
            "images/Abyssinian_1.jpg": "",
            "images/beagle_2.jpg": "",
            "annotations/xmls/Abyssinian_1.xml": ("cat",),
            "annotations/trimaps/Abyssinian_1.png": "",
            "annotations/trimaps/beagle_2.png": "",
            "annotations/list.txt": "Abyssinian_1 1 1 1\nbeagle_2 2 2 1\n",
            "annotations/test.txt": "beagle_2 2 2 1\n",
            "annotations/trainval.txt": "Abyssinian_1 1 1 1\n",
        },
        {"trainval/Abyssinian_1.jpg": ("cat",), "test/beagle_2.jpg": ()},
    ),
    "a folder for each subset": (
        {
            "train/JPEGImages/a.jpg": "",
            "train/Annotations/a.xml": ("cat",),
            "test/JPEGImages/a.jpg": "",
            "test/Annotations/a.xml": ("dog",),
        },
        {"train/a.jpg": ("cat",), "test/a.jpg": ("dog",)},
    ),
    "subsets in both folders": (
        {
            "images/train/x/a.jpg": "",
            "annotations/train/x/a.xml": ("cat",),
            "images/val/a.jpg": "",
            "annotations/val/a.xml": ("dog",),
        },
        {"train/x/a.jpg": ("cat",), "val/a.jpg": ("dog",)},
    ),
    "subsets of images alone": (
        {
            "images/train/a.jpg": "",
            "images/val/b.jpg": "",
            "Annotations/a.xml": ("cat",),
            "Annotations/b.xml": ("dog",),
        },
        {"train/a.jpg": ("cat",), "val/b.jpg": ("dog",)},
    ),
    "images and annotations in folders of subsets": (
        {
            "images/train/a.jpg": "",
            "images/train/a.xml": ("cat",),
            "images/test/b.jpg": "",
            "images/test/b.xml": ("dog",),
        },
        {"train/a.jpg": ("cat",), "test/b.jpg": ("dog",)},
    ),
    "annotations without extension": (
        {"Images/n1-pug/n1_7.jpg": "", "Annotation/n1-pug/n1_7": annotation("pug")},
        {"default/n1-pug/n1_7.jpg": ("pug",)},
    ),
    "of ImageNet": (
        {
            "Data/CLS-LOC/train/n1/n1_7.JPEG": "",
            "Data/CLS-LOC/val/v1.JPEG": "",
            "Annotations/CLS-LOC/train/n1/n1_7.xml": ("n1",),
            "Annotations/CLS-LOC/val/v1.xml": ("n2",),
            "ImageSets/CLS-LOC/train_loc.txt": "n1/n1_7 1\n",
        },
        {"train_loc/n1/n1_7.JPEG": ("n1",), "val/v1.JPEG": ("n2",)},
    ),
    "lists of both paths": (
        {
            "JPEGImages/a b.jpg": "",
            "JPEGImages/c.jpg": "",
            "Annotations/a b.xml": ("cat",),
            "Annotations/c.xml": ("dog",),
            "train.txt": "./JPEGImages/c.jpg ./Annotations/c.xml\n",
            "val.txt": "JPEGImages/a b.jpg\n",
            "label_list.txt": "cat\ndog\n",
        },
        {"train/c.jpg": ("dog",), "val/a b.jpg": ("cat",)},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_told_and_read(layout, tmp_path):
    files, expected = LAYOUTS[layout]
    root = voc(tmp_path / "data", files)
    items, failed, reader = reading(root)
    assert (items, failed, problems(reader), reader.remarks) == (expected, {}, [], [])
    assert choose(root).format == "voc"
    if len(files) > 2:
        check_reader(VocReader, root)


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": "", "b.jpg": "", "c.jpg": "", "notes.xml": annotation("cat")},
        {"a.jpg": "", "b.jpg": "", "c.jpg": "", "a.xml": ("cat",)},
        {"a.jpg": "", "a.xml": "<annotations><version>1.1</version></annotations>"},
        {"a.jpg": "", "a.xml": "<annotation><filename>a.jpg</filename><folder/><source><sourceImage>x</sourceImage>"
         "</source><object><name>car</name><deleted>0</deleted><polygon/></object></annotation>"},
        {"images/a.jpg": "", "annotations/a.xml": "<project/>"},
        {"JPEGImages/a.jpg": "", "b.txt": "x"},
        {"cats/a.jpg": "", "data/JPEGImages/b.jpg": "", "data/Annotations/b.xml": ("cat",)},
        {"ImageSets/train.txt": "a\n", "training/image_2/a.png": ""},
    ],
    ids=["stray", "few", "CVAT", "LabelMe", "other XML", "no annotations", "one folder of several", "KITTI"],
)  # fmt: skip
def test_other_folders_are_not_taken(files, tmp_path):
    root = voc(tmp_path / "data", files)
    assert VocReader.detect(root) is None
    assert VocReader.detect(root / "a.jpg") is None


def test_extensions_of_annotations_may_be_in_capital_letters(tmp_path):
    root = voc(tmp_path, {"JPEGImages/a.jpg": "", "Annotations/a.XML": annotation("cat")})
    assert choose(root).format == "voc"
    assert reading(root)[0] == {"default/a.jpg": ("cat",)}


def test_an_image_of_several_subsets_is_one_item_of_the_first(tmp_path):
    files = {"JPEGImages/a.jpg": "", "Annotations/a.xml": ("cat",), "JPEGImages/b.jpg": "", "Annotations/b.xml": ()}
    lists = {f"ImageSets/Main/{subset}.txt": "a\n" for subset in ("val", "test", "train", "trainval")}
    items, _, reader = reading(voc(tmp_path, files | lists))
    assert items == {"train/a.jpg": ("cat",), "default/b.jpg": ()}
    assert reader.remarks == ["1 image is in lists of several subsets: the first of train, val and test counts."]


def test_images_of_several_subsets_are_counted_once_each_and_names_of_no_image_are_not(tmp_path):
    files = {"JPEGImages/a.jpg": "", "Annotations/a.xml": ("cat",)}
    lists = {f"ImageSets/Main/{subset}.txt": "A\ngone\n" for subset in ("train", "val")}
    items, failed, reader = reading(voc(tmp_path, files | lists))
    assert (items, list(failed)) == ({"train/a.jpg": ("cat",)}, ["gone"])
    assert reader.remarks == ["1 image is in lists of several subsets: the first of train, val and test counts."]


def test_images_without_annotations_and_lists_are_counted_and_taken_if_asked_for(tmp_path):
    files = {"JPEGImages/a.jpg": "", "Annotations/a.xml": ("cat",), "JPEGImages/b.jpg": "", "JPEGImages/c.jpg": ""}
    masks = {"SegmentationClass/a.png": "", "masks/b.png": "", "JPEGImages/c_mask.png": ""}
    root = voc(tmp_path, files | {"SegmentationClass/a.png": ""})
    items, _, reader = reading(root)
    assert items == {"default/a.jpg": ("cat",)}
    (remark,) = reader.remarks
    said = (
        "2 images have no XML file and are in no list, and are left out, such as JPEGImages/b.jpg; --option unlisted="
    )
    assert remark.startswith(said)
    items, _, reader = reading(root, unlisted="yes")
    assert items == {"default/a.jpg": ("cat",), "default/b.jpg": (), "default/c.jpg": ()}
    assert reader.remarks == []
    with pytest.raises(DatasetError, match="is yes or no, and not 'perhaps'"):
        VocReader(root, {"unlisted": "perhaps"})
    left_out = (
        "2 images are left out as masks, such as JPEGImages/c_mask.png, because of folder or name; --format folder"
    )
    voc(root, masks)
    assert reading(root)[2].remarks == [f"{left_out} reads all images.", remark]
    items, _, reader = reading(root, unlisted="yes")
    assert items == {"default/a.jpg": ("cat",), "default/b.jpg": (), "default/c.jpg": ()}
    assert reader.remarks == [f"{left_out} reads all images."]


def test_masks_of_subsets_are_no_items_and_images_with_annotations_are_whatever_they_are_called(tmp_path):
    files = {"JPEGImages/train/a.jpg": "", "Annotations/train/a.xml": ("cat",), "masks/train/a_2.png": ""}
    files |= {"JPEGImages/train/b_mask.png": "", "Annotations/train/b_mask.xml": ("dog",), "instances/images/c.jpg": ""}
    root = voc(tmp_path, files)
    read = {"train/a.jpg": ("cat",), "train/b_mask.png": ("dog",)}
    items, _, reader = reading(root)
    assert items == read
    assert "1 image is left out as a mask, such as masks/train/a_2.png" in reader.remarks[0]
    assert (
        "1 image has no XML file and is in no list, and is left out, such as instances/images/c.jpg"
        in reader.remarks[1]
    )
    assert reading(root, unlisted="yes")[0] == {**read, "default/c.jpg": ()}


def test_annotations_and_lines_without_image_are_named(tmp_path):
    files = {
        "JPEGImages/a.jpg": "",
        "Annotations/a.xml": ("cat",),
        "Annotations/gone.xml": annotation("dog", filename="lost.jpg"),
        "ImageSets/Main/train.txt": "a\n\ngone\nnever.jpg\n",
    }
    items, failed, _ = reading(voc(tmp_path, files))
    assert items == {"train/a.jpg": ("cat",)}
    assert failed == {
        "lost.jpg": "there is no image for Annotations/gone.xml, which names lost.jpg",
        "never": "ImageSets/Main/train.txt, line 4: there is no image of this name",
    }


@pytest.mark.parametrize(
    "filename",
    ["b.png", "pics/b.png", "/data/pics/b.jpg", r"C:\data\pics\b.JPG", "B.PNG", "./b"],
)
def test_an_annotation_of_another_name_belongs_to_the_image_that_it_names(filename, tmp_path):
    files = {
        "images/a.jpg": "",
        "images/b.png": "",
        "annotations/a.xml": ("cat",),
        "annotations/1.xml": annotation("dog", filename=filename),
    }
    items, failed, reader = reading(voc(tmp_path, files))
    assert (items, failed, reader.remarks) == ({"default/a.jpg": ("cat",), "default/b.png": ("dog",)}, {}, [])


def test_the_name_of_the_annotation_goes_before_the_image_that_it_names(tmp_path):
    files = {
        "images/a.jpg": "",
        "images/b.jpg": "",
        "annotations/a.xml": annotation("cat", filename="b.jpg"),
        "annotations/b.xml": annotation("dog", filename="b.jpg"),
        "annotations/c.xml": annotation("bird", filename="b.jpg"),
    }
    items, failed, reader = reading(voc(tmp_path, files))
    assert (items, failed) == ({"default/a.jpg": ("cat",), "default/b.jpg": ("dog",)}, {})
    reason = "its image, images/b.jpg, has another XML file, which is read instead: annotations/b.xml"
    assert problems(reader) == [("annotations/c.xml", reason)]


def test_of_two_annotations_that_name_one_image_the_second_is_told_which_is_read(tmp_path):
    files = {"images/a.jpg": "", "annotations/a.xml": ("cat",), "images/b.jpg": ""}
    files |= {f"annotations/{number}.xml": annotation("dog", filename="b.jpg") for number in (1, 2)}
    items, failed, reader = reading(voc(tmp_path, files))
    assert (items, failed) == ({"default/a.jpg": ("cat",), "default/b.jpg": ("dog",)}, {})
    reason = "its image, images/b.jpg, has another XML file, which is read instead: annotations/1.xml"
    assert problems(reader) == [("annotations/2.xml", reason)]


def test_of_two_images_of_one_stem_the_annotation_names_one_or_belongs_to_both(tmp_path):
    files = {"images/a.jpg": "", "images/a.png": "", "images/b.jpg": "", "images/b.png": ""}
    files |= {"annotations/a.xml": annotation("cat", filename="a.png"), "annotations/b.xml": ("dog",)}
    items, _, _ = reading(voc(tmp_path, files))
    assert items == {
        "default/a.jpg": (),
        "default/a.png": ("cat",),
        "default/b.jpg": ("dog",),
        "default/b.png": ("dog",),
    }


def test_images_elsewhere_are_read_by_their_absolute_path(tmp_path):
    outside = voc(tmp_path / "pictures", {"x.jpg": ""})
    files = {"images/a.jpg": "", "annotations/a.xml": ("cat",), "annotations/1.xml": annotation("dog", path="PATH")}
    root = voc(tmp_path / "data", files)
    path = root / "annotations" / "1.xml"
    path.write_text(path.read_text().replace("PATH", str(outside / "x.jpg")))
    items, failed, _ = reading(root)
    assert items == {"default/a.jpg": ("cat",), f"default/{str(outside / 'x.jpg')[1:]}": ("dog",)}
    assert failed == {}
    path.write_text(annotation("dog", filename="http://host/z.jpg"))
    assert reading(root)[1] == {"z.jpg": "there is no image for annotations/1.xml, which names http://host/z.jpg"}


def test_folders_of_annotations_that_cannot_be_read_make_all_images_items(tmp_path, deny):
    root = voc(tmp_path, {"JPEGImages/a.jpg": "", "JPEGImages/b.jpg": "", "Annotations/a.xml": ("cat",)})
    deny(root / "Annotations")
    items, failed, reader = reading(root)
    assert (items, failed) == ({"default/a.jpg": (), "default/b.jpg": ()}, {})
    assert problems(reader) == [("Annotations", "the folder cannot be read: Permission denied")]
    assert reader.remarks == ["All images are items, because annotations or lists cannot be read."]


@pytest.mark.parametrize(("folder", "place"), [("JPEGImages/x", "x"), ("JPEGImages", ".")])
def test_items_below_a_folder_of_images_that_cannot_be_read_are_kept(folder, place, tmp_path, deny):
    files = {f"JPEGImages/x/{name}.jpg": "" for name in "ab"}
    files |= {f"Annotations/x/{name}.xml": ("cat",) for name in "ab"}
    root = voc(tmp_path, files | {"JPEGImages/c.jpg": "", "Annotations/c.xml": ("dog",)})
    build(root)
    deny(root / folder)
    report = build(root)
    assert (report.removed, report.unchanged + report.kept, report.items) == (0, 3, 3)
    assert [one.id for one in report.failed if one.kind == "unreadable"] == [place]


def test_lists_with_odd_lines(tmp_path):
    lines = (
        b"\xef\xbb\xbfa\r\nb.jpg\r\n\r\nJPEGImages\\c.jpg\r\n\xff\xfe\r\n/data/voc/JPEGImages/d.jpg\r\n" + b"x" * 5000
    )
    files = {f"JPEGImages/{name}.jpg": "" for name in "abcd"} | {"ImageSets/Main/day_train.txt": lines}
    items, failed, reader = reading(voc(tmp_path, files))
    assert items == {f"day_train/{name}.jpg": () for name in "abcd"}
    assert failed == {}
    assert problems(reader) == [
        ("ImageSets/Main/day_train.txt", "line 5: it is not valid UTF-8"),
        ("ImageSets/Main/day_train.txt", "line 7: the line has more than 4,096 characters"),
    ]


@pytest.mark.parametrize("content", ["", "\n \n", "\r\n"])
def test_a_list_without_lines_leaves_the_images_to_the_lists_of_classes(content, tmp_path):
    files = {f"JPEGImages/{name}.jpg": "" for name in "abc"}
    files |= {"ImageSets/Main/train.txt": content, "ImageSets/Main/cat_train.txt": "a 1\nb -1\n"}
    files |= {"ImageSets/Main/val.txt": "c\n", "ImageSets/Main/cat_val.txt": "c 1\na 1\n"}
    items, failed, reader = reading(voc(tmp_path, files))
    assert items == {"train/a.jpg": ("cat",), "train/b.jpg": (), "val/c.jpg": ("cat",)}
    assert (failed, reader.remarks) == ({}, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_lists_may_be_in_the_encodings_of_windows(encoding, tmp_path):
    files = {"JPEGImages/a.jpg": "", "JPEGImages/b\u00e9.jpg": "", "Annotations/a.xml": ("cat",)}
    files |= {"ImageSets/Main/train.txt": "a\r\nb\u00e9\r\n".encode(encoding)}
    files |= {"ImageSets/Main/cat_train.txt": "b\u00e9 1\r\n".encode(encoding)}
    items, failed, reader = reading(voc(tmp_path, files))
    assert items == {"train/a.jpg": ("cat",), "train/b\u00e9.jpg": ("cat",)}
    assert (failed, problems(reader)) == ({}, [])


def test_build_counts_and_names_what_it_could_not_read(cli, tmp_path):
    files = VOC2007 | {
        "Annotations/000032.xml": "<annotation><object><name>sofa</name></object>",
        "JPEGImages/x.jpg": "",
    }
    root = voc(tmp_path / "VOC2007", files)
    done = cli("build", root)
    assert done.code == 0
    assert f"{root} is read as voc: it has Annotations/000001.xml; --format folder reads the images alone." in done.err
    assert (
        "annotation not read: Annotations/000032.xml: line 1: it is damaged from here on: no element found" in done.err
    )
    assert "1 image has no XML file and is in no list, and is left out, such as JPEGImages/x.jpg; --option" in done.err
    assert "4 added, 0 unchanged, 0 failed, 1 annotation not read; 4 images in the index" in done.err
    found = cli("query", root, "--item", "000032", "--exclude-self", "--label", "dog", "--output", "json").json["hits"]
    assert [(hit["id"], hit["subset"], hit["labels"]) for hit in found] == [("000001.jpg", "test", ["dog", "person"])]
    assert "4 unchanged" in cli("build", root).err
    done = cli("build", root, "--rebuild", "--format", "voc", "--option", "unlisted=yes")
    assert "5 added" in done.err
    assert "no XML file" not in done.err


def test_names_that_systems_spell_differently_are_the_same(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    files = {f"JPEGImages/{decomposed}.jpg": "", f"Annotations/{composed}.xml": ("cat",), "JPEGImages/IMG_2.JPG": ""}
    files |= {"Annotations/img_2.xml": ("dog",), "ImageSets/Main/train.txt": f"{composed}\nimg_2\n"}
    items, failed, _ = reading(voc(tmp_path, files))
    assert items == {f"train/{decomposed}.jpg": ("cat",), "train/IMG_2.JPG": ("dog",)}
    assert failed == {}


def test_other_things_than_files_are_not_opened(tmp_path):
    root = voc(tmp_path, {"JPEGImages/a.jpg": "", "Annotations/a.xml": ("cat",)})
    os.mkfifo(root / "Annotations" / "b.xml")
    (root / "Annotations" / "c.xml").symlink_to("c.xml")
    items, failed, _ = reading(root)
    assert items == {"default/a.jpg": ("cat",)}
    assert failed == dict.fromkeys(("Annotations/b.xml", "Annotations/c.xml"), "not a regular file")


def test_an_index_of_items_without_extensions_is_taken_over_without_hashing(tmp_path):
    root = voc(tmp_path / "data", {"JPEGImages/a.jpg": "", "Annotations/a.xml": (), "Annotations/b.xml": ("cat",)})
    voc(root, {"JPEGImages/b.jpg": ""})
    (root / "JPEGImages" / "b.jpg").write_bytes((root / "JPEGImages" / "a.jpg").read_bytes() + b"\0")
    read = VocReader.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VocReader, "read", lambda self: map(without_extension, read(self)))
        assert build(root, format="voc").added == 2
    report = build(root)
    assert (report.renamed, report.added, report.changed, report.items) == (2, 0, 0, 2)


def without_extension(item):
    return item._replace(id=item.id.rpartition(".")[0], media=item.media or item.id)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_list_is_named_and_not_waited_for(tmp_path):
    root = voc(tmp_path, {"JPEGImages/a.jpg": "", "Annotations/a.xml": ("cat",), "ImageSets/Main/val.txt": "a\n"})
    os.mkfifo(root / "ImageSets/Main/train.txt")
    items, _, reader = reading(root)
    assert items == {"val/a.jpg": ("cat",)}
    assert problems(reader) == [("ImageSets/Main/train.txt", "cannot be read: not a regular file.")]
