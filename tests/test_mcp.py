"""``clipdex mcp``: a real process, asked by the client of the package ``mcp``."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("mcp")
import anyio
import jsonschema
from anyio.from_thread import start_blocking_portal
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from clipdex import Explorer, ItemFilter, ItemQuery, find_duplicates
from clipdex_web.tools import MOST_BYTES
from helpers_engine import PHOTOS, REPOSITORY, make_folder, run_process
from helpers_index import row, write_index
from helpers_pages import blocks

CAT = PHOTOS / "animals" / "chelsea-the-cat.jpg"
WAIT = 60
MANY = 6000
LABELLED = 'ü \\ "labelled"\n.jpg'
GREETING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    },
}


class Assistant:
    """A client that is connected to a process."""

    def __init__(self, portal, client):
        self._portal = portal
        self._client = client

    def tools(self):
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools).tools}

    def call(self, name, **arguments):
        return self._portal.call(self._client.call_tool, name, arguments)

    def call_all(self, *calls):
        """Make calls at once, and return their answers."""

        async def together():
            answers = [None] * len(calls)

            async def one(number, name, arguments):
                answers[number] = await self._client.call_tool(name, arguments)

            async with anyio.create_task_group() as group:
                for number, (name, arguments) in enumerate(calls):
                    group.start_soon(one, number, name, arguments)
            return answers

        return self._portal.call(together)

    def ask(self, name, **arguments):
        """Return the JSON of an answer."""
        answer = self.call(name, **arguments)
        assert not answer.is_error, answer.content[0].text
        return json.loads(answer.content[0].text)

    def error(self, name, **arguments):
        answer = self.call(name, **arguments)
        assert answer.is_error
        return answer.content[0].text


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CLIPDEX_"))}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}


@contextlib.contextmanager
def assistant(home, *arguments, mode="auto"):
    command = ["-m", "clipdex_cli", "mcp", *map(str, arguments)]
    process = StdioServerParameters(command=sys.executable, args=command, env=environment(home))
    with (home / "stderr").open("w") as log, start_blocking_portal() as portal:
        client = Client(stdio_client(process, errlog=log), mode=mode, read_timeout_seconds=WAIT)
        with portal.wrap_async_context_manager(client) as connected:
            yield Assistant(portal, connected)


@pytest.fixture(scope="module")
def asking(photos, tmp_path_factory):
    with assistant(tmp_path_factory.mktemp("home"), photos) as connected:
        yield connected


@pytest.fixture(scope="module")
def asking_many(tmp_path_factory):
    """An assistant of many items with long names, and a picture that can hardly be compressed."""
    home = tmp_path_factory.mktemp("home")
    root = make_folder(home / "many", "noise.png")
    Image.frombytes("RGB", (1600, 1600), os.urandom(3 * 1600 * 1600)).save(root / "noise.png")
    labels = tuple(f"label {number}" for number in range(3000))
    rows = [row(f"a/{'very-' * 30}long/{number:05}.jpg") for number in range(MANY)]
    rows += [row("noise.png"), row('ü \\ "labelled"\n.jpg', labels=labels)]
    write_index(root / ".clipdex", [[(one, bytes(8)) for one in rows]], 64)
    with assistant(home, root) as connected:
        yield connected


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_tools_are_read_only_and_each_schema_is_in_one_piece(photos, tmp_path, mode):
    with assistant(tmp_path, photos, mode=mode) as connected:
        tools = connected.tools()
    assert list(tools) == ["search", "similar", "duplicates", "info", "thumbnail"]
    for tool in tools.values():
        assert tool.annotations.read_only_hint and not tool.annotations.open_world_hint
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert "$ref" not in json.dumps(tool.input_schema)
    jsonschema.validate({"queries": [{"kind": "image", "value": "AAAA"}], "topk": 3}, tools["search"].input_schema)


def test_a_search_answers_what_the_engine_does(asking, photos):
    answer = asking.ask(
        "search",
        queries=[{"kind": "text", "value": "a dog"}, {"kind": "item", "value": "plants/dahlia"}],
        negative=[{"kind": "text", "value": "snow"}],
        topk=5,
        merge="rank",
        filter={"not_labels": ["food"]},
    )
    with Explorer(photos) as explorer:
        expected = explorer.explore_topk(
            ["a dog", ItemQuery("plants/dahlia")],
            5,
            negative="snow",
            merge="rank",
            filter=ItemFilter(not_labels=("food",)),
        )
    assert answer["hits"] == expected.to_dict()["hits"]
    assert [one.get("negative", False) for one in answer["queries"]] == [False, False, True]


def test_the_example_of_the_guide_runs(photos, tmp_path):
    page = (REPOSITORY / "docs" / "how-to" / "mcp.md").read_text(encoding="utf-8")
    (example,) = blocks(page, "python")
    arguments = ["-m", "clipdex_cli", "mcp", str(photos)]
    example = example.replace('command="clipdex"', f"command={sys.executable!r}")
    example = example.replace('args=["mcp", "examples/photos"]', f"args={arguments!r}")
    done = subprocess.run(
        [sys.executable, "-c", example],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=WAIT,
        check=True,
    )
    [hit] = json.loads(done.stdout)["hits"]
    assert hit["id"] == "animals/cat-with-string.jpg"


def test_an_image_is_sent_as_base64(asking, photos):
    image = {"kind": "image", "value": base64.b64encode(CAT.read_bytes()).decode()}
    [hit] = asking.ask("search", queries=[image], topk=1)["hits"]
    assert (hit["id"], hit["distance"]) == ("animals/chelsea-the-cat.jpg", 0)


def test_images_like_an_item_are_found_without_it(asking, photos):
    answer = asking.ask("similar", id="animals/chelsea-the-cat", topk=3, from_rank=2)
    with Explorer(photos) as explorer:
        expected = explorer.explore_topk(explorer.item("animals/chelsea-the-cat"), 3, exclude_self=True)
    assert answer["hits"] == expected.to_dict()["hits"][1:]


def test_duplicates_are_those_of_the_engine(asking, photos):
    answer = asking.ask("duplicates", max_distance=115, from_group=2, limit=1, items_per_group=1)
    expected = find_duplicates(photos, max_distance=115).to_dict()
    [group] = answer["groups"]
    assert group == {**expected["groups"][1], "items": expected["groups"][1]["items"][:1], "items_left_out": 1}
    assert answer["total_groups"] == len(expected["groups"]) == 3
    assert answer["next"] == "ask again with from_group 3 for the other groups"


def test_info_says_what_is_open(asking, photos):
    info = asking.ask("info")
    assert (info["items"], info["datasets"][0]["name"]) == (40, "photos")
    with Explorer(photos) as explorer:
        expected = explorer.facets()
    assert {one["label"]: one["items"] for one in info["labels"]} == dict(expected.labels)
    assert (info["subsets"], info["total_labels"]) == (dict(expected.subsets), len(expected.labels))


def test_a_thumbnail_is_a_small_picture_without_metadata(asking):
    answer = asking.call("thumbnail", id="animals/chelsea-the-cat", size=256)
    text, picture = answer.content
    assert json.loads(text.text)["id"] == "animals/chelsea-the-cat.jpg"
    assert picture.mime_type == "image/webp"
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert (image.format, max(image.size)) == ("WEBP", 256)
        assert not image.getexif()


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("search", {}, "the request has no queries"),
        ("search", {"queries": [{"kind": "text", "value": " "}]}, "the text of a query is empty"),
        ("search", {"queries": [{"kind": "image", "value": "no base64!"}]}, "is no base64"),
        ("search", {"queries": [{"kind": "image", "value": "AAAA"}]}, "cannot be used"),
        (
            "search",
            {"queries": [{"kind": "upload", "value": "a" * 64}]},
            "must be an object with a kind: text, item, image",
        ),
        ("search", {"queries": [{"kind": "text", "value": "a"}], "path": "/etc/passwd"}, "the unknown key 'path'"),
        ("search", {"queries": [{"kind": "text", "value": "a"}], "filter": {"labels": ["nothing"]}}, "nothing"),
        ("search", {"queries": [{"kind": "item", "value": "../../etc/passwd"}]}, "has the id"),
        ("similar", {"id": "nobody.jpg"}, "has the id 'nobody.jpg'"),
        ("similar", {"id": "plants/dahlia", "topk": 2, "from_rank": 3}, "from_rank is 3, and topk 2"),
        ("thumbnail", {"id": "/etc/passwd"}, "has the id"),
        ("thumbnail", {"id": "plants/dahlia", "size": 4000}, "must be one of 256, 512, 1600"),
        ("duplicates", {"max_distance": 10_000}, "must be from 0 to 512"),
        ("info", {"more": True}, "unknown key 'more'"),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_the_tool(asking, name, arguments, says):
    assert says in asking.error(name, **arguments)
    assert asking.ask("info")["items"] == 40


def test_an_unknown_tool_is_an_error_of_the_protocol(asking):
    with pytest.raises(MCPError, match="no tool is called 'build'; there are: search"):
        asking.call("build")


def test_two_requests_at_once_get_their_own_answers(asking):
    items = ["plants/dahlia.jpg", "animals/chelsea-the-cat.jpg"] * 4
    answers = asking.call_all(*(("thumbnail", {"id": one, "size": 256}) for one in items))
    assert [json.loads(answer.content[0].text)["id"] for answer in answers] == items


def test_an_answer_that_would_be_too_large_is_cut_and_says_how_to_go_on(asking_many):
    found, first = [], 1
    while True:
        answer = asking_many.call("similar", id="noise.png", topk=10_000, from_rank=first)
        assert len(answer.model_dump_json(by_alias=True)) <= MOST_BYTES
        body = json.loads(answer.content[0].text)
        found += body["hits"]
        first += len(body["hits"])
        if "cut" not in body:
            break
        assert f"ask again with from_rank {first} for the others" in body["cut"]
    assert [hit["rank"] for hit in found] == list(range(1, MANY + 2))
    assert len({hit["id"] for hit in found}) == MANY + 1
    [labelled] = [hit for hit in found if hit["id"] == LABELLED]
    assert len(labelled["labels"]) + labelled["labels_left_out"] == 3000


def test_groups_that_would_be_too_large_are_cut(asking_many):
    answer = asking_many.call("duplicates", max_distance=0, items_per_group=10_000)
    assert len(answer.model_dump_json(by_alias=True)) <= MOST_BYTES
    [group] = json.loads(answer.content[0].text)["groups"]
    assert len(group["items"]) + group["items_left_out"] == MANY + 2


def test_a_picture_that_would_be_too_large_is_smaller_and_says_so(asking_many):
    answer = asking_many.call("thumbnail", id="noise.png", size=1600)
    assert len(answer.model_dump_json(by_alias=True)) <= MOST_BYTES
    body = json.loads(answer.content[0].text)
    assert body["cut"].startswith(f"at most {body['size']} pixels: with 1600")
    assert body["size"] < 1600


def test_an_image_that_is_gone_is_an_error_of_the_tool(asking_many):
    assert "the image cannot be shown: no such file" in asking_many.error("thumbnail", id=LABELLED)


def test_standard_output_has_only_the_protocol_whatever_else_is_printed(photos, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, warnings\n"
        "from clipdex.search.explorer import Explorer\n"
        "search = Explorer.search\n"
        "def loud(self, request, **more):\n"
        "    print('printed'); os.write(1, b'written below Python\\n'); os.system('echo echoed')\n"
        "    warnings.warn('a warning'); raise ValueError('a defect')\n"
        "Explorer.search = loud\n"
    )
    asked = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "similar", "arguments": {"id": "plants/dahlia"}},
    }
    with process(tmp_path, photos, PYTHONPATH=str(tmp_path)) as running:
        say(running, GREETING)
        greeted = json.loads(running.stdout.readline())
        say(running, {"jsonrpc": "2.0", "method": "notifications/initialized"}, asked)
        answered = json.loads(running.stdout.readline())
        rest, err = running.communicate(timeout=WAIT)
    assert (greeted["id"], answered["id"], rest) == (1, 2, b"")
    assert answered["result"]["isError"]
    assert "a defect of clipdex" in answered["result"]["content"][0]["text"]
    for one in (b"printed", b"written below Python", b"echoed", b"a warning", b"Traceback"):
        assert one in err


def test_the_end_of_the_input_ends_the_process_while_it_works(photos, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\n"
        "from clipdex.search.explorer import Explorer\n"
        "def endless(self, request, **more):\n"
        "    sys.stderr.write('begun\\n'); sys.stderr.flush()\n"
        "    time.sleep(1000)\n"
        "Explorer.search = endless\n"
    )
    asked = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "similar", "arguments": {"id": "plants/dahlia"}},
    }
    with process(tmp_path, photos, PYTHONPATH=str(tmp_path)) as running:
        say(running, GREETING)
        running.stdout.readline()
        say(running, {"jsonrpc": "2.0", "method": "notifications/initialized"}, asked)
        assert running.stderr.readline() == b"begun\n"
        out, err = running.communicate(timeout=WAIT)
    assert (running.returncode, err) == (0, b"")
    assert [json.loads(line)["error"]["message"] for line in out.splitlines()] == ["Connection closed"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process")
def test_ctrl_c_ends_it_while_it_waits_for_input(photos, tmp_path):
    with process(tmp_path, photos) as running:
        say(running, GREETING)
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(WAIT) == -signal.SIGINT


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_it_ends_where_nobody_reads_its_answers(photos, tmp_path):
    with process(tmp_path, photos) as running:
        running.stdout.close()
        say(running, GREETING)
        assert running.wait(WAIT) == 0
        assert running.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_answers_that_cannot_be_written_are_an_error(photos, tmp_path):
    with Path("/dev/full").open("wb") as full, process(tmp_path, photos, stdout=full) as running:
        say(running, GREETING)
        assert running.wait(WAIT) == 1
        assert b"the answers cannot be written: No space left on device." in running.stderr.read()


def test_what_is_no_message_is_passed_over(photos, tmp_path):
    with process(tmp_path, photos) as running:
        running.stdin.write(b"\xff\x00 no message\n[]\n{}\n")
        say(running, GREETING)
        lines = [json.loads(line) for line in running.communicate(timeout=WAIT)[0].splitlines()]
    assert all(line["jsonrpc"] == "2.0" for line in lines)


def test_without_an_index_it_says_so_and_ends(tmp_path):
    done = run_process("mcp", tmp_path / "nothing", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert "nothing" in done.err


def test_without_the_package_it_says_what_to_install(cli, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    done = cli("mcp", photos)
    assert (done.code, done.out) == (1, b"")
    assert "pip install 'clipdex[mcp]'" in done.err


@contextlib.contextmanager
def process(home, *arguments, stdout=subprocess.PIPE, **env):
    running = subprocess.Popen(
        [sys.executable, "-m", "clipdex_cli", "mcp", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**environment(home), **env},
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        for pipe in (running.stdin, running.stdout, running.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def say(running, *messages):
    for message in messages:
        running.stdin.write(json.dumps(message).encode() + b"\n")
    running.stdin.flush()
