"""Tags given and taken away, by the forms of the page and by programs. Nothing else changes what is on disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import QueryError
from clipdex.search.tagging import Item
from clipdex_web.checking import check
from clipdex_web.collection import Collection
from clipdex_web.exports import taken_of
from clipdex_web.openapi import JSON
from clipdex_web.picks import Picking
from clipdex_web.reading import as_json, body_of, parameters_of, read_json
from clipdex_web.room import Room
from clipdex_web.schema import DEFINITIONS, MOST_TAGGED
from clipdex_web.state import MOST_PER_PAGE, ItemName, State
from clipdex_web.tiles import SHOWN

ADD, REMOVE = "add", "remove"
_MOST_FORM = 4 << 20
_MOST_FIELDS = MOST_PER_PAGE + 20
_MOST_JSON = 16 << 20


class TagsRoutes(Room):
    """The answers on tags."""

    def pages(self) -> list[Route]:
        """Return where the page is, and where forms are sent to."""
        return [Route("/tags", self._shown), Route("/tags", self._sent, methods=["POST"])]

    def api(self) -> list[Route]:
        """Return where each answer of the API is."""
        return [Route("/tags", self._tags), Route("/tags", self._change, methods=["POST"])]

    async def _shown(self, request: Request) -> Response:
        parameters_of(request, {})
        return await self._site.asking.run(request, self._written)

    def _written(self) -> Response:
        tags = self._collection.explorer.tags()
        return self._page("tags.html", tags=[(tag, State.of([("tag", tag.name)]).url) for tag in tags])

    async def _sent(self, request: Request) -> Response:
        """Tag one item, or all that a page shows, or what is picked of that, and go back."""
        body = await body_of(request, _MOST_FORM)
        try:
            sent = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise QueryError("the form cannot be read.") from error
        values = dict(sent)
        action, name = values.get("do", ""), values.get("tag", "").strip()
        if action not in (ADD, REMOVE):
            raise QueryError(f"the form does nothing: do must be {ADD} or {REMOVE}.")
        pairs = parse_qsl(values.get("state", ""), keep_blank_values=True)
        shown = [pair for pair in pairs if pair[0] in (SHOWN, "place")]
        state = State.of([pair for pair in pairs if pair not in shown])
        if "item" in values:
            await self._site.asking.run(request, self._tag_one, action, name, ItemName.of(values["item"]))
            return RedirectResponse(f"item?{values.get('state', '')}" if shown else state.url, 303)
        await self._site.asking.run(request, self._tag_shown, action, name, state, Picking.of_form(sent))
        return RedirectResponse(state.url, 303)

    def _tag_one(self, action: str, name: str, item: ItemName) -> None:
        self._collection.item(item)
        # Whoever takes away a tag that went meanwhile has what they want.
        if action == ADD or name in self._collection.tags_of([item]).get(item, ()):
            changed(self._collection, action, name, [item])

    def _tag_shown(self, action: str, name: str, state: State, picking: Picking) -> None:
        left = self._collection.left_of(state)
        if left.nothing:  # the page, which is shown next, says so
            return
        taken = taken_of(self._collection, left.state, picking.of)
        if len(taken) > MOST_TAGGED:
            raise QueryError(
                f"these are {len(taken):,} images, and at most {MOST_TAGGED:,} are tagged at once: narrow them down, "
                "or use clipdex tag add."
            )
        changed(self._collection, action, name, taken.names())

    async def _tags(self, request: Request) -> Response:
        parameters_of(request, {})

        def written() -> str:
            return as_json({"tags": [tag.to_dict() for tag in self._collection.explorer.tags()]})

        return Response(await self._site.asking.run(request, written), media_type=JSON)

    async def _change(self, request: Request) -> Response:
        parameters_of(request, {})
        body = await body_of(request, _MOST_JSON)
        return Response(await self._site.asking.run(request, self._changed, body), media_type=JSON)

    def _changed(self, body: bytes) -> str:
        asked = read_json(body)
        check(asked, DEFINITIONS["TagChange"], DEFINITIONS)
        items = [ItemName(one["dataset"], one["subset"], one["id"]) for one in asked["items"]]
        return as_json(changed(self._collection, asked["action"], asked["name"], items))


def changed(collection: Collection, action: str, name: str, items: Iterable[Item]) -> dict[str, Any]:
    """Give items a tag, or take it away; return what that did."""
    if action == ADD:
        done = collection.explorer.add_tag(name, items)
        return {"name": done.name, "changed": done.added, "missing": list(done.missing)}
    return {"name": name, "changed": collection.explorer.remove_tag(name, items), "missing": []}
