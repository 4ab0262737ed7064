"""XML files of Pascal VOC: what is read of whole, odd and hostile ones."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex.readers.annotated.voc_xml import read_annotation, read_labels, usual_labels
from helpers_amounts import EXAMPLES
from helpers_voc import annotation

OBJECT = "<object><name>{}</name></object>"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "lollollol">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 50}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotation><object><name>&i;</name></object></annotation>"
)


def read(tmp_path, content):
    path = tmp_path / "a.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_annotation(str(path))
    quick = read_labels(str(path))
    assert quick == (found if not isinstance(quick, tuple) else tuple(found.labels))
    return found


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (annotation("cat", "dog", "cat"), ("cat", "dog")),
        (annotation(), ()),
        ("<annotation><object><name>\n\tpotted plant </name></object></annotation>", ("potted plant",)),
        ("<annotation><object><part><name>head</name></part><name>person</name></object></annotation>", ("person",)),
        ("<annotation><object><name>person</name><part><name>head</name></part></object></annotation>", ("person",)),
        ("<annotation><owner><name>Joe</name></owner>" + OBJECT.format("cat") + "</annotation>", ("cat",)),
        ("<annotation><objects>" + OBJECT.format("cat") + "</objects></annotation>", ("cat",)),
        ("<annotation><object><label>cat</label></object></annotation>", ("cat",)),
        ("<annotation><object><name>a &amp; b &#233;</name></object></annotation>", ("a & b é",)),
        ("<annotation><object><name><![CDATA[x<y]]></name></object></annotation>", ("x<y",)),
        ("<annotation><object><name>a<b>b</b>c</name></object>" + OBJECT.format("d") + "</annotation>", ("abc", "d")),
        ("<annotation><!-- <object><name>no</name></object> -->" + OBJECT.format("yes") + "</annotation>", ("yes",)),
        ("<Annotation><Object><Name>cat</Name></Object></Annotation>", ("cat",)),
        ('<v:annotation xmlns:v="urn:v"><v:object><v:name>cat</v:name></v:object></v:annotation>', ("cat",)),
        ('<annotation xmlns="urn:v" verified="yes"><object id="1"><name>cat</name></object></annotation>', ("cat",)),
        ('<!DOCTYPE annotation SYSTEM "voc.dtd"><annotation>' + OBJECT.format("cat") + "</annotation>", ("cat",)),
        ('\ufeff<?xml version="1.0" encoding="utf-8"?>' + annotation("größe"), ("größe",)),
        ("\n\n<?xml version='1.0'?>" + annotation("cat"), ("cat",)),
        ("<annotation><folder>R&D</folder>" + OBJECT.format("black & white") + "</annotation>", ("black & white",)),
        ("<annotation><folder>\x07</folder>" + OBJECT.format("cat") + "</annotation>", ("cat",)),
        ("<?xml version='1.0' encoding='utf-16'?>" + annotation("cat"), ("cat",)),
        ("<?xml version='1.0' encoding='zip'?>" + annotation("cat"), ("cat",)),
        (('<?xml version="1.0" encoding="ISO-8859-1"?>' + annotation("größe")).encode("latin-1"), ("größe",)),
        (('<?xml version="1.0" encoding="windows-1251"?>' + annotation("кот")).encode("cp1251"), ("кот",)),
        (('<?xml version="1.0" encoding="gb2312"?>' + annotation("猫")).encode("gb2312"), ("猫",)),
        (('<?xml version="1.0" encoding="UTF-16"?>' + annotation("größe")).encode("utf-16"), ("größe",)),
        (codecs.BOM_UTF16_BE + annotation("猫").encode("utf-16-be"), ("猫",)),
        (annotation("cat", path="C:\\Jürgen\\a.jpg").encode("latin-1"), ("cat",)),
        (annotation(*(f"class {number}" for number in range(9000))), tuple(f"class {n}" for n in range(9000))),
    ],
)  # fmt: skip
def test_labels_are_the_names_of_objects_each_once_in_order(content, labels, tmp_path):
    found = read(tmp_path, content)
    assert (tuple(found.labels), found.problems) == (labels, [])


@pytest.mark.parametrize(
    ("content", "labels", "reason", "line"),
    [
        ("", (), "the file is empty", 0),
        (" \n", (), "the file is empty", 0),
        (b"\0" * 100, (), "it is damaged", 1),
        ("no XML", (), "it is damaged", 1),
        ("<annotations/>", (), "it is no annotation of Pascal VOC: it begins with <annotations>", 1),
        ("<annotation>\n" + OBJECT.format("cat") + "\n<object><name>do", ("cat",), "it is damaged from here on", 3),
        ("<annotation>" + OBJECT.format("cat") + "</annotation><x/>", ("cat",), "junk after document element", 1),
        ("<annotation>" + OBJECT.format("") + "\n" + OBJECT.format("cat") + "</annotation>", ("cat",), "no name", 1),
        ("<annotation>\n<object/>\n<object><pose/></object></annotation>", (), "an object has no name", 2),
        ("<annotation>" + OBJECT.format("x" * 2000) + "</annotation>", (), "more than 1,000 characters", 1),
        (annotation("cat", "größe").encode("latin-1"), ("cat",), "cannot be decoded", 10),
        ("<annotation>" + OBJECT.format("a\x07b") + "</annotation>", (), "cannot be decoded", 1),
        (BOMB, (), "it declares entities", 1),
        ('<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>'
         + OBJECT.format("&x;") + "</annotation>", (), "it declares entities", 1),
        ("<annotation>" + "<a>" * 300_000, (), "more than 100,000 elements", 1),
        ("<annotation><object>" + "<a>" * 300_000, (), "nested deeper than 200", 1),
        ("<annotation>" + "<object>" * 300_000, (), "nested deeper than 200", 1),
        ("<annotation>" + OBJECT.format("cat") + " " * (17 << 20) + "</annotation>", ("cat",), "larger than 16 MiB", 1),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_the_rest_is_read(content, labels, reason, line, tmp_path):
    found = read(tmp_path, content)
    assert tuple(found.labels) == labels
    assert reason in found.problems[0][0]
    assert found.problems[0][1] == line


def test_an_annotation_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "a.xml").mkdir()
    for path in (tmp_path / "a.xml", tmp_path / "gone.xml"):
        found = read_labels(str(path))
        assert (found.labels, found.problems[0][0].startswith("it cannot be read: ")) == ({}, True)


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "<object>",
                "</object>",
                "<name>",
                "</name>",
                "<object><name>cat</name></object>",
                "<name>dog</name>",
                " ",
            ),
            *("<!--", "-->", "<![CDATA[", "]]>", "<?x", "?>", "&amp;", "<part>", "</part>", "\n", "é", "<object/>"),
            *("<annotation>", "</annotation>", "<name>\u00a0x</name>", "<object >", "<Object><name>x</name></Object>"),
        ]
    ),
    max_size=12,
)


@settings(max_examples=EXAMPLES.now * 5, deadline=None)
@given(PIECES)
def test_a_file_that_is_not_parsed_has_the_labels_that_parsing_finds(tmp_path_factory, pieces):
    content = f"<annotation><object><name>a</name></object>{''.join(pieces)}</annotation>".encode()
    quick = usual_labels(content)
    if quick is not None:
        path = tmp_path_factory.getbasetemp() / "quick.xml"
        path.write_bytes(content)
        found = read_annotation(str(path))
        assert found.problems or quick == tuple(found.labels)


@settings(max_examples=EXAMPLES.now, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_damage_never_raises(tmp_path_factory, noise, position):
    whole = annotation("cat", "dog").encode()
    path = tmp_path_factory.getbasetemp() / "noise.xml"
    path.write_bytes(whole[:position] + noise + whole[position:])
    found = read_annotation(str(path))
    assert all(label and label.strip() == label for label in found.labels)
