"""What README and the documentation show is what happens."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from clipdex_cli.main import run

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs" / "index-format.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def without_numbers(text):
    """A message with times, rates and the folder of the clone taken out."""
    text = re.sub(r"\S*/(?=examples/photos|found)", "", text)
    return re.sub(r"\([^)]*\)", "", text).strip()


def alike(line, expected):
    """Equal but for a few bits: processors round differently."""
    pairs = zip(line.split(), expected.split(), strict=True)
    return all(
        abs(int(one) - int(other)) <= 5 if one.isdigit() and other.isdigit() else one == other for one, other in pairs
    )


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the example photos, like a clone after nothing was run."""
    shutil.copytree(ROOT / "examples" / "photos", tmp_path / "examples" / "photos", ignore=shutil.ignore_patterns(".*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_tour_shows_what_the_commands_print(clone, capfd):
    shown = 0
    for block in blocks(README, "console"):
        command, _, expected = block.partition("\n")
        assert run(shlex.split(command.removeprefix("$ clipdex "))) == 0
        printed = capfd.readouterr()
        lines = [line.rstrip() for line in (printed.out or printed.err).splitlines()]
        if printed.out:
            assert len(lines) == len(expected.splitlines())
            for line, wanted in zip(lines, expected.splitlines(), strict=True):
                assert alike(line, wanted), (line, wanted)
        else:
            assert [without_numbers(line) for line in lines] == [without_numbers(expected)]
        shown += 1
    assert shown >= 5


def test_python_example_runs(clone, capsys):
    (example,) = blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "40 images, 0 failed"
    assert printed[1].endswith("animals/german-shepherd.jpg")
    assert printed[3] == "animals/cat-with-string.jpg"
    assert printed[4] == "rank [0, 1, 2, 0, 1, 2]"


def test_index_can_be_read_without_clipdex_as_documented(clone, capsys):
    assert run(["build", "examples/photos", "--quiet"]) == 0
    reader, _ = blocks(FORMAT, "python")
    capsys.readouterr()
    exec(compile(reader, "index-format.md", "exec"), {})
    found = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert run(["query", "examples/photos", "--item", "plants/dahlia.jpg", "-k", "5", "--output", "csv"]) == 0
    ours = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    assert found == [[row[1], row[5]] for row in ours]


def test_the_documented_reader_sees_what_clipdex_sees_of_an_index_that_was_changed(clone, capsys):
    from clipdex_indexes import Index

    assert run(["build", "examples/photos", "--quiet"]) == 0
    gone = ["animals/koala.jpg", "food/fig.jpg", "things/chair.jpg"]
    with Index.open("examples/photos/.clipdex") as index:
        index.remove(gone)
        index.add(["animals/koala.jpg"], np.zeros(64, np.uint8), subset="other")
        expected = [(row.id, row.subset, index.key(at).tobytes()) for at, row in index.items()]
        assert len(index.segments) == 2
    reader, _ = blocks(FORMAT, "python")
    names = {}
    exec(compile(reader, "index-format.md", "exec"), names)
    ids, subsets, keys = names["read_index"]("examples/photos/.clipdex")
    found = sorted(zip(ids, subsets, (key.tobytes() for key in keys), strict=True))
    assert found == expected
    assert len(found) == 38


def test_the_index_is_used_from_python_as_documented(clone, capsys):
    _, example = blocks(FORMAT, "python")
    exec(compile(example, "index-format.md", "exec"), {})
    assert capsys.readouterr().out == blocks(FORMAT, "text")[-1]


def test_links_in_the_documentation_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
