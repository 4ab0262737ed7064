"""Text of strangers steers no terminal, forges no line and starts no formula."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
import threading
import unicodedata
import zipfile
from pathlib import Path

import pytest

from clipdex import Explorer, build
from clipdex.report.cells import as_text
from clipdex_cli import printing
from clipdex_cli.main import run
from clipdex_indexes.storage.manifest import _checksum
from helpers_engine import copy_model, make_folder, run_process

pty = pytest.importorskip("pty")

# A title, a question to the terminal, another screen, the same in one byte of C1, deletion, a turned direction, ends of
# lines of several kinds, and a line of its own.
EVIL = "\x1b]0;owned\x07\x1b[6n\x1b[?1049h\x9b5n\x7f\x08\u202eturned\u2066\u2028\x85\r\nFORGED all is well"
# What clipdex itself sends to a terminal: bold, and a bar of progress.
_OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*[ABCDGJK]|\x1b\[\?25[lh]|\r")
MODEL = "evil"


def steering(text: str) -> str:
    """What of a text would steer a terminal."""
    left = _OWN.sub("", text)
    return "".join(one for one in left if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs"))


def forged(text: str) -> bool:
    return any(line.lstrip().startswith("FORGED") for line in _OWN.sub("", text).splitlines())


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """Run a command line on a terminal, in this process, and return what the terminal gets."""

    def ran(*words: str | Path) -> str:
        own, its = pty.openpty()
        got = bytearray()

        def read() -> None:
            while True:
                try:
                    block = os.read(own, 65536)
                except OSError:
                    return
                if not block:
                    return
                got.extend(block)

        reader = threading.Thread(target=read)
        reader.start()
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm")
            patch.setenv("COLUMNS", "4000")
            streams = [os.fdopen(os.dup(its), "w", encoding="utf-8", buffering=1) for _ in range(2)]
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            assert sys.stdout.isatty()
            run([str(word) for word in words])
            for stream in streams:
                stream.close()
        os.close(its)
        reader.join()
        os.close(own)
        return got.decode("utf-8", errors="replace").replace("\r\n", "\n")

    return ran


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Datasets, a project, a model, an index and a result of a stranger."""
    root = tmp_path_factory.mktemp("evil")
    folder = make_folder(root / f"photos{EVIL}", f"train/{EVIL}/a{EVIL}.png", f"train/{EVIL}/b.png", "val/dog/c.png")
    shutil.copy(folder / "val" / "dog" / "c.png", folder / "val" / "dog" / f"copy{EVIL}.png")
    (folder / f"broken{EVIL}.png").write_bytes(b"no image")
    (folder / f"film{EVIL}.mp4").write_bytes(b"no image")
    images = make_folder(root / "images", "0.png", "1.png")
    with (root / "list.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "id", "subset", "label", f"more{EVIL}"])
        rows.writerow(["images/0.png", f"one{EVIL}", EVIL, EVIL, EVIL])
        rows.writerow(["images/1.png", "=1+1", "+1", "@sum", EVIL])
        rows.writerow([f"images/gone{EVIL}.png", f"gone{EVIL}", EVIL, EVIL, EVIL])
    with zipfile.ZipFile(root / "all.zip", "w") as archive:
        archive.write(images / "0.png", f"in{EVIL}.png")
        archive.writestr(f"broken{EVIL}.png", b"no image")
    coco = make_folder(root / "coco" / "images", "0.png", "1.png").parent
    (coco / "annotations").mkdir()
    (coco / "annotations" / "instances_train.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": f"gone{EVIL}.png"}],
                "categories": [{"id": 1, "name": EVIL}, {"id": EVIL, "name": 5}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1}, {"id": 2, "image_id": EVIL}],
            }
        )
    )
    copy_model(
        root / "model", lambda one: one.update(name=MODEL, kind=EVIL, good_at=EVIL, not_good_at=EVIL, licence=EVIL)
    )
    for target in (folder, root / "list.csv", root / "all.zip", coco):
        build(target)
    restamp(folder / ".clipdex" / "manifest.json", writer=EVIL, source_format="folder")
    with Explorer(folder) as explorer:
        result = explorer.explore_topk("a dog", 3)
    body = json.loads(result.to_json())
    for hit in body["hits"]:
        hit.update(path=f"/nowhere/{EVIL}.png", dataset=EVIL, labels=[EVIL])
    body["queries"][0].update(value=EVIL)
    body["datasets"][0].update(name=EVIL)
    body["warnings"] = [EVIL]
    (root / "result.json").write_text(json.dumps(body))
    project = root / "project"
    (project / "plugins").mkdir(parents=True)
    (project / "plugins" / f"trap{EVIL}.py").write_text(f"raise ValueError({EVIL!r})\n")
    (project / "clipdex.toml").write_text(
        f"model = {json.dumps(EVIL)}\n[sources.gone]\npath = {json.dumps('../nowhere' + EVIL)}\n[sources.csv]\n"
        f"path = '../list.csv'\n[[stages]]\nname = {json.dumps(EVIL)}\n"
        f"queries = [{{item = {json.dumps('one' + EVIL)}}}]\ntargets = ['csv']\n"
    )
    shutil.copytree(project, root / "named")
    (root / "named" / "clipdex.toml").write_text(f"[sources.{json.dumps(EVIL)}]\npath = 'x'\n")
    return root


def restamp(path: Path, **changes: str) -> None:
    body = json.loads(path.read_text())
    body.pop("checksum")
    path.write_text(json.dumps({**body, **changes, "checksum": _checksum({**body, **changes})}))


@pytest.fixture
def evil(made, tmp_path, monkeypatch):
    """A copy of it; the current folder is in it."""
    root = tmp_path / "root"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


PHOTOS = f"photos{EVIL}"
# Commands that print what a stranger wrote, in every way; and those that complain of it.
DONE = [
    ("build", PHOTOS),
    ("build", PHOTOS, "--rebuild"),
    ("build", PHOTOS, "--dry-run"),
    ("build", "list.csv", "all.zip", "coco", "--rebuild"),
    ("query", PHOTOS, "--text", "a dog"),
    ("query", PHOTOS, "--text", EVIL, "bus", "-v"),
    ("query", PHOTOS, "list.csv", "all.zip", "coco", "--merge", "rank", "--histogram", "--text", EVIL, "bus"),
    ("query", PHOTOS, "--item", "val/dog/c", "--output", "json"),
    ("query", PHOTOS, "--item", "val/dog/c", "--output", "csv"),
    ("query", PHOTOS, "--item", "val/dog/c", "--output", "csv", "--raw"),
    ("query", PHOTOS, "--item", "val/dog/c", "--output", "paths"),
    ("query", PHOTOS, "--item", "val/dog/c", "--preview=blocks"),
    ("query", PHOTOS, "--item", "val/dog/c", "-s", "--html", f"page{EVIL}.html"),
    ("query", PHOTOS, "--item", "val/dog/c", "--label", EVIL),
    ("query", PHOTOS, "--item", "val/dog/c", "--not-label", EVIL, "--label", EVIL),
    ("query", f"{PHOTOS}/train", "--item", f"train/{EVIL}/b"),
    ("query", "--from", "result.json"),
    ("explore", PHOTOS, "--item", "val/dog/c"),
    ("info", PHOTOS),
    ("info", PHOTOS, "--json"),
    ("info", "list.csv", "all.zip", "coco"),
    ("info", PHOTOS, "--facets"),
    ("info", PHOTOS, "--facets", "--json"),
    ("duplicates", PHOTOS),
    ("duplicates", PHOTOS, "--output", "json"),
    ("duplicates", PHOTOS, "--output", "csv"),
    ("duplicates", PHOTOS, "--output", "paths"),
    ("duplicates", PHOTOS, "-o", f"groups{EVIL}"),
    ("map", PHOTOS, "-o", f"map{EVIL}.csv"),
    ("merge", PHOTOS, "list.csv", "-o", f"merged{EVIL}"),
    ("export", "--hash-keys", f"keys{EVIL}.json", PHOTOS),
    ("verify", PHOTOS),
    ("optimize", PHOTOS),
    ("tag", "list", PHOTOS),
    ("project", "info", "-p", "project"),
    ("project", "info", "-p", "project", "--json"),
    ("project", "run", "-p", "project"),
    ("project", "trust", "project"),
    ("project", "create", f"new{EVIL}"),
    ("formats", "-p", "project"),
    ("model", "list"),
    ("model", "info", "model"),
    ("model", "info", "model", "--json"),
    ("--version",),
]
WRONG = [
    ("build", f"nowhere{EVIL}"),
    ("build", PHOTOS, "--format", f"x{EVIL}"),
    ("build", "list.csv", "--option", f"a{EVIL}=b"),
    ("build", "list.csv", "--rebuild", "--option", f"label=a{EVIL}"),
    ("query", PHOTOS, "--item", f"train/{EVIL}/nearly"),
    ("query", PHOTOS, "--image", f"nowhere{EVIL}.png"),
    ("query", PHOTOS, f"--opt{EVIL}"),
    ("query", PHOTOS, "-k", EVIL),
    (f"quer{EVIL}",),
    ("save", "result.json", "-o", f"saved{EVIL}"),
    ("save", f"nowhere{EVIL}.json"),
    ("tag", "add", f"tag{EVIL}", PHOTOS, "--item", "val/dog/c"),
    ("tag", "add", "good", PHOTOS, "--item", f"val/dog/c{EVIL}"),
    ("formats", f"x{EVIL}"),
    ("project", "build", "-p", "project"),
    ("project", "add", "-p", "project", PHOTOS, "--name", f"n{EVIL}"),
    ("project", "remove", "-p", "project", EVIL),
    ("model", "info", f"no{EVIL}"),
    ("model", "add", f"nowhere{EVIL}"),
    ("help", f"x{EVIL}"),
    ("query", PHOTOS, "--item", "val/dog/c", "--subset", EVIL),
    ("project", "info", "-p", "named"),
]


@pytest.mark.parametrize("words", [*DONE, *WRONG], ids=lambda words: printing.printable(" ".join(words))[:60])
def test_nothing_that_a_stranger_wrote_steers_the_terminal(terminal, evil, words):
    if "map" in words:
        pytest.importorskip("openTSNE")
    if words[0] == "tag":
        run(["tag", "add", f"old{EVIL}", PHOTOS, "--item", "val/dog/c"])
    if words == ("formats", "-p", "project"):
        run(["project", "trust", "project"])
    shown = terminal(*words)
    assert shown.strip()
    assert steering(shown) == "", shown.encode("unicode_escape").decode()
    assert not forged(shown), shown


@pytest.mark.parametrize("words", [*DONE, *WRONG], ids=lambda words: printing.printable(" ".join(words))[:60])
def test_nothing_that_people_read_has_control_characters_elsewhere_either(cli, evil, words, monkeypatch):
    if "map" in words:
        pytest.importorskip("openTSNE")
    monkeypatch.chdir(evil)
    done = cli(*words)
    assert (done.code != 0) == (words in WRONG), done.err
    data = {"paths", "csv"} & {*words}
    for text in (done.err, *([] if data else [done.out.decode()])):
        assert steering(text) == ""
        assert not forged(text)


def test_other_programs_get_paths_and_cells_as_they_are(cli, evil, monkeypatch):
    monkeypatch.chdir(evil)
    done = cli("query", "list.csv", "--item", "=1+1", "--output", "csv", "--raw")
    assert {row["id"] for row in csv.DictReader(io.StringIO(done.out.decode(), newline=""))} == {"=1+1", f"one{EVIL}"}
    done = cli("query", PHOTOS, "--item", "val/dog/c", "--output", "paths", "-0")
    assert {os.fsdecode(path) for path in done.out.split(b"\0")} > {str(evil / PHOTOS / f"train/{EVIL}/a{EVIL}.png")}


def test_json_says_what_was_written_although_it_is_escaped(cli, evil, monkeypatch):
    monkeypatch.chdir(evil)
    done = cli("query", PHOTOS, "--item", "val/dog/c", "--output", "json")
    assert f"train/{EVIL}/a{EVIL}.png" in done.ids
    assert steering(done.out.decode()) == ""
    assert cli("info", PHOTOS, "--json").json[0]["writer"] == EVIL


def test_json_escapes_what_is_outside_of_the_first_plane_in_two_parts(capfdbinary):
    printing.write_json({"tag": "\U000e0041 猫 \udcff é"})
    out = capfdbinary.readouterr().out
    assert out == b'{\n "tag": "\\udb40\\udc41 \xe7\x8c\xab \\udcff \xc3\xa9"\n}\n'
    assert json.loads(out)["tag"] == "\U000e0041 猫 \udcff é"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@sum",
        " =1",
        '"=1',
        "\t=1",
        "\r=1",
        "\n=1",
        "\tx",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "\ufeff=1",
        "''=1",
    ],
)
def test_what_begins_a_formula_gets_an_apostrophe(text):
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "dog", "a=1", "a-b", "1", "/data/-x.png", " a", "'quoted'", "猫"])
def test_other_cells_stay(text):
    assert as_text(text) == text


def test_no_cell_of_csv_starts_a_formula_unless_that_is_wanted(cli, evil, monkeypatch):
    monkeypatch.chdir(evil)

    def cells(*words):
        done = cli(*words)
        return [row for row in csv.DictReader(io.StringIO(done.out.decode(), newline="")) if "1+1" in row["id"]]

    (guarded,) = cells("query", "list.csv", "--item", "=1+1", "-k", "1", "--output", "csv")
    assert (guarded["id"], guarded["subset"], guarded["labels"], guarded["distance"]) == ("'=1+1", "'+1", "'@sum", "0")
    (raw,) = cells("query", "list.csv", "--item", "=1+1", "-k", "1", "--output", "csv", "--raw")
    assert (raw["id"], raw["subset"], raw["labels"]) == ("=1+1", "+1", "@sum")
    assert cli("query", "list.csv", "--item", "=1+1", "--raw").code == 2
    assert cli("duplicates", "list.csv", "--raw").code == 2


def test_maps_as_tables_start_no_formula_unless_that_is_wanted(cli, evil, monkeypatch):
    pytest.importorskip("openTSNE")
    monkeypatch.chdir(evil)
    for words, expected in (((), "'=1+1"), (("--raw", "--force"), "=1+1")):
        assert cli("map", "list.csv", "-o", "map.csv", *words).code == 0
        with Path("map.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert expected in {row["id"] for row in rows}
        assert all(re.fullmatch(r"-?\d\.\d{6}|-?\d+\.\d{6}", row[axis]) for row in rows for axis in "xy")


def test_a_defect_and_a_warning_of_a_library_are_escaped_too():
    code = (
        "import warnings, logging, clipdex_cli.main as main\n"
        f"evil = {EVIL!r}\n"
        "def run(words):\n    warnings.warn(evil)\n    logging.getLogger('x').error(evil)\n    raise ValueError(evil)\n"
        "main.run = run\nmain.main()\n"
    )
    done = python(code)
    assert done.returncode == 1
    text = done.stderr.decode()
    assert "ValueError" in text and "UserWarning" in text and text.count("owned") >= 3
    assert steering(text) == ""


def python(code: str):
    import subprocess

    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)


def test_the_program_itself_escapes_what_was_typed(tmp_path):
    done = run_process("query", f"--opt{EVIL}", cwd=tmp_path)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("Error: No such option")
    assert steering(done.err) == "" and not forged(done.err)


def test_pictures_beside_a_table_still_reach_the_terminal(terminal, evil):
    shown = terminal("query", PHOTOS, "--item", "val/dog/c", "--preview=blocks")
    assert shown.count("\x1b[38;5;") > 20
    assert steering(shown) == ""
