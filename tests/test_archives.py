"""Archives that are damaged, hostile or large: named failures, bounded memory, nothing outside."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import tarfile
import threading
import zipfile

import pytest

from clipdex.errors import DatasetError, DatasetNotFound, ImageError
from clipdex.media import members, tars, zips
from clipdex.media.opening import open_media, open_member
from clipdex.readers import ReadItem, UnreadableItem
from clipdex.readers.archives import TarReader, ZipReader
from clipdex.testing import check_reader
from helpers_engine import picture
from helpers_formats import EXPECTED, PICTURES, content, write_tar, write_zip

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def image(seed: int) -> bytes:
    stream = io.BytesIO()
    picture(seed).save(stream, "PNG")
    return stream.getvalue()


def read(reader):
    return {item.id: item for item in reader.read()}


def reasons(reader):
    return {item.id: item.reason for item in reader.read() if isinstance(item, UnreadableItem)}


def zip_with(path, *infos, data=PNG):
    with zipfile.ZipFile(path, "w") as archive:
        for info in infos:
            archive.writestr(info, data)
    return path


def link_in_zip(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def test_names_that_climb_out_and_links_in_a_zip_are_named_and_not_followed(tmp_path):
    names = ["../out.png", "/abs.png", "C:/x.png", "a/../../b.png", "ok.png", link_in_zip("link.png")]
    found = reasons(ZipReader(zip_with(tmp_path / "a.zip", *names, data=b"/etc/passwd")))
    assert {name: "leads out" in reason for name, reason in found.items()} == {
        "../out.png": True,
        "abs.png": True,
        "C:/x.png": True,
        "a/../../b.png": True,
        "link.png": False,
    }
    assert "not followed" in found["link.png"]
    for name in ("../out.png", "link.png", "/abs.png"):
        with pytest.raises(ImageError):
            open_member(tmp_path / "a.zip", name)


def test_links_and_devices_in_a_tar_are_named_and_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("device.png", tarfile.CHRTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        for name in ("../up.png", "/abs.png", "fine.png"):
            entry = tarfile.TarInfo(name)
            entry.size = len(PNG)
            archive.addfile(entry, io.BytesIO(PNG))
    found = reasons(TarReader(tmp_path / "a.tar"))
    assert set(found) == {"link.png", "hard.png", "device.png", "../up.png", "abs.png"}
    assert all("not followed" in found[name] for name in ("link.png", "hard.png", "device.png"))
    assert all("leads out" in found[name] for name in ("../up.png", "abs.png"))
    for name in ("link.png", "../up.png", "nothing.png"):
        with pytest.raises(ImageError):
            open_media(f"{tmp_path / 'a.tar'}!/{name}")


def test_encrypted_members_and_unknown_methods_are_named(tmp_path):
    path = zip_with(tmp_path / "a.zip", "locked.png", "odd.png", "ok.png")
    data = bytearray(path.read_bytes())
    first = data.find(b"PK\1\2")
    struct.pack_into("<H", data, first + 8, 1)
    second = data.find(b"PK\1\2", first + 1)
    struct.pack_into("<H", data, second + 10, 9)
    path.write_bytes(data)
    found = reasons(ZipReader(path))
    assert found["locked.png"] == "it is encrypted"
    assert "method 9" in found["odd.png"]
    assert "ok.png" not in found


def test_damaged_member_is_named_and_the_others_are_read(tmp_path):
    path = zip_with(tmp_path / "a.zip", "one.png", "two.png")
    data = bytearray(path.read_bytes())
    data[data.find(PNG) + 20] ^= 1
    path.write_bytes(data)
    reader = ZipReader(path)
    found = read(reader)
    with pytest.raises(ImageError, match="CRC"):
        reader.open(found["one.png"])
    assert reader.open(found["two.png"]).read() == PNG


@pytest.mark.parametrize(("write", "reader"), [(write_zip, ZipReader), (write_tar, TarReader)])
def test_member_larger_than_the_limit_is_named_with_it(write, reader, tmp_path, monkeypatch):
    monkeypatch.setattr(members, "MAX_MEMBER_BYTES", 100)
    path = write(tmp_path / "a.archive", {"bomb.png": bytes(101), "ok.png": PNG})
    found = reasons(reader(path))
    assert list(found) == ["bomb.png"]
    assert "101 bytes" in found["bomb.png"]
    assert "100" in found["bomb.png"]
    with pytest.raises(ImageError, match="101 bytes"):
        open_member(path, "bomb.png")


def test_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"bomb.png": bytes(1 << 20)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.find(b"PK\1\2") + 24, 50)
    path.write_bytes(data)
    with pytest.raises(ImageError):
        ZipReader(path).open(next(ZipReader(path).read()))


def test_compressed_tar_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_UNPACKED_BYTES", 1 << 20)
    path = write_tar(tmp_path / "a.tar.gz", {"a.png": bytes(1 << 19), "b.png": bytes(1 << 20), "c.png": PNG}, "w:gz")
    with pytest.raises(DatasetError, match="unpacks to more than 1,048,576 bytes"):
        list(TarReader(path).read())


def test_header_that_would_exhaust_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "_MAX_HEADER_BYTES", 4096)
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("x" * 9000 + ".png"))
    with pytest.raises(DatasetError, match="a header of"):
        list(TarReader(tmp_path / "a.tar").read())


@pytest.mark.parametrize(("write", "reader"), [(write_zip, ZipReader), (write_tar, TarReader)])
def test_archive_that_is_cut_off_is_refused_whole(write, reader, tmp_path):
    path = write(tmp_path / "a.archive", {"a.png": image(1), "b.png": image(2)})
    for cut in (0, 1, 100, 700):
        short = tmp_path / "short"
        short.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DatasetError):
            list(reader(short).read())


def test_tar_with_a_damaged_header_in_the_middle_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a.png": PNG, "b.png": PNG})
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="damaged at byte 1,024"):
        list(TarReader(path).read())


def test_sizes_below_zero_lead_nowhere(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a.png": PNG, "b.png": PNG})
    data = bytearray(path.read_bytes())
    for size in (-512, -1024, -1536):
        header = data[1024:1536]
        header[124:136] = b"\xff" + (size % (1 << 88)).to_bytes(11, "big")
        header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * ord(" ") + sum(header[156:]))
        path.write_bytes(data[:1024] + header + data[1536:])
        with pytest.raises(DatasetError):
            list(TarReader(path).read())


def test_any_damage_to_a_zip_is_an_error_of_ours(tmp_path):
    whole = write_zip(tmp_path / "a.zip", {"a.png": PNG, "noextension": PNG}).read_bytes()
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 0xFF
        (tmp_path / "b.zip").write_bytes(data)
        try:
            reader = ZipReader(tmp_path / "b.zip")
            for item in list(reader.read()):
                if isinstance(item, ReadItem):
                    reader.open(item)
        except (DatasetError, ImageError):
            continue


def test_ids_are_those_of_the_folder_that_it_would_unpack_to(tmp_path):
    (tmp_path / "x").mkdir()
    data = {"./train/cat/a.png": 1, "b//c.png": 2, "win\\dows.png": 3, ".hidden/x.png": 4, "__MACOSX/._a.png": 5}
    found = read(ZipReader(write_zip(tmp_path / "a.zip", {name: image(seed) for name, seed in data.items()})))
    assert {item.id: (item.subset, item.labels) for item in found.values()} == {
        "train/cat/a.png": ("train", ("cat",)),
        "b/c.png": ("default", ("b",)),
        "win/dows.png": ("default", ("win",)),
    }
    for item in found.values():
        assert open_media(f"{tmp_path / 'a.zip'}{item.media if item.media != '!/' else '!/' + item.id}").read()


def test_only_images_are_items_and_marked_folders_are_passed_over(tmp_path):
    names = ["a.png", "noextension", "text", "notes.txt", "saved/.clipdexignore", "saved/deep/b.png", "saved.png"]
    data = {name: PNG if name != "text" else b"hello" for name in names}
    for write, reader in ((write_zip, ZipReader), (write_tar, TarReader)):
        assert list(read(reader(write(tmp_path / "a.archive", data)))) == ["a.png", "noextension", "saved.png"]


def test_root_names_a_folder_inside(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {f"photos/{name}": content(name) for name in PICTURES} | {"x.png": PNG})
    check_reader(ZipReader, archive, options={"root": "photos"}, items=EXPECTED, failures={})


@pytest.mark.parametrize(("write", "reader"), [(write_zip, ZipReader), (write_tar, TarReader)])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_last_of_several_members_of_one_name_counts(write, reader, tmp_path):
    path = write(tmp_path / "a.archive", {"a.png": image(1), "./a.png": image(2), "b.png": image(3)})
    found = list(reader(path).read())
    assert [(type(item), item.id) for item in found] == [
        (UnreadableItem, "a.png"),
        (ReadItem, "a.png"),
        (ReadItem, "b.png"),
    ]
    assert found[0].kind == "duplicate"
    assert reader(path).open(found[1]).read() == image(2)


def test_zip_with_something_before_it_and_a_comment_is_read(tmp_path):
    path = tmp_path / "a.exe"
    path.write_bytes(b"a program" * 1000)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a.png", image(1))
        archive.comment = b"PK comment"
    reader = ZipReader(path)
    (item,) = reader.read()
    assert reader.open(item).read() == image(1)


def test_zip_with_wide_numbers_is_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.png", "w", force_zip64=True) as file:
        file.write(image(1))
    data = path.read_bytes()
    end = data.rfind(b"PK\5\6")
    _, _, _, _, count, size, start, _ = struct.unpack_from("<4s4H2LH", data, end)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    path.write_bytes(data[:end] + wide + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 0xFFFFFFFF, 0))
    reader = ZipReader(path)
    (item,) = reader.read()
    assert reader.open(item).read() == image(1)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_packing_is_unpacked(method, tmp_path):
    reader = ZipReader(write_zip(tmp_path / "a.zip", {"a.png": image(1)}, method))
    assert reader.open(next(reader.read())).read() == image(1)


def test_reader_notices_that_the_archive_has_changed(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": image(1)})
    reader = ZipReader(path)
    assert list(read(reader)) == ["a.png"]
    write_zip(path, {"b.png": image(2), "c.png": image(3)})
    assert list(read(reader)) == ["b.png", "c.png"]
    path.unlink()
    with pytest.raises(ImageError):
        reader.open(ReadItem("b.png", "default", (), 1, 1, "!/"))
    with pytest.raises(DatasetNotFound):
        ZipReader(path)


def test_same_name_and_size_with_another_content_is_another_item(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PNG})
    before = next(ZipReader(path).read())
    write_zip(path, {"a.png": PNG[:-1] + b"x"})
    after = next(ZipReader(path).read())
    assert (before.size, before.mtime_ns // 10**9) == (after.size, after.mtime_ns // 10**9)
    assert before != after


@pytest.mark.parametrize(("write", "reader"), [(write_zip, ZipReader), (write_tar, TarReader)])
def test_reader_holds_a_piece_of_the_items_and_not_all(write, reader, tmp_path, monkeypatch):
    alive = {"now": 0, "most": 0}

    class Counted(members.Member):
        def __new__(cls, *values, **named):
            alive["now"] += 1
            alive["most"] = max(alive["most"], alive["now"])
            return super().__new__(cls, *values, **named)

        def __del__(self):
            alive["now"] -= 1

    monkeypatch.setattr(members, "Member", Counted)
    for module in (zips, tars):
        monkeypatch.setattr(module, "Member", Counted)
    monkeypatch.setattr(members, "_BATCH", 10)
    path = write(tmp_path / "a.archive", {f"{number:05}.png": b"x" for number in range(2000)})
    assert sum(1 for _ in reader(path).read()) == 2000
    assert 0 < alive["most"] < 50


def test_compressed_tar_is_unpacked_once_for_all_threads(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "a.tar.gz", {f"{number}.png": image(number) for number in range(8)}, "w:gz")
    reader = TarReader(path)
    items = list(reader.read())
    made = []
    real = tars.tempfile.TemporaryFile
    monkeypatch.setattr(tars.tempfile, "TemporaryFile", lambda **named: made.append(1) or real(**named))
    wrong = []

    def check(number):
        if reader.open(items[number]).read() != image(number):
            wrong.append(number)

    threads = [threading.Thread(target=check, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, made) == ([], [1])


def test_pipe_in_the_place_of_an_archive_does_not_block(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes")
    os.mkfifo(tmp_path / "pipe.tar")
    assert TarReader.detect(tmp_path / "pipe.tar") is None
    assert ZipReader.detect(tmp_path / "pipe.tar") is None
    with pytest.raises(ImageError):
        open_media(f"{tmp_path / 'pipe.tar'}!/a.png")


def test_locator_of_an_archive_that_is_gone_is_missing(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PNG})
    assert open_media(f"{path}!/a.png").read() == PNG
    shutil.move(path, tmp_path / "b.zip")
    with pytest.raises(ImageError):
        open_media(f"{path}!/a.png")
    assert open_media(f"{tmp_path / 'b.zip'}!/a.png").read() == PNG


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_folder_in_an_archive_that_is_called_datumaro_is_a_folder(write, tmp_path):
    archive = write(tmp_path / "photos", {"datumaro/coco/train/1.png": image(1), "datumaro/a/b/2": image(2)})
    for name, seed in (("datumaro/coco/train/1.png", 1), ("datumaro/a/b/2", 2)):
        with open_media(f"{archive}!/{name}") as file:
            assert file.read() == image(seed)
    with pytest.raises(ImageError, match="no such file in the archive"):
        open_media(f"{archive}!/datumaro/coco/train/3")
