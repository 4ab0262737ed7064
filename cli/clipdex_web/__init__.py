"""The page, the HTTP API and the tools of MCP: requests are parsed, the engine is asked, and the answer is rendered.

From the bottom up: ``checking`` and ``schema`` say what a request may be, ``state`` turns an address into a request of
the engine and back, ``kept`` and ``uploads`` hold files, ``pictures`` makes thumbnails, ``work`` bounds what runs at
once, ``long_work`` does in the background what takes longer than a page should wait, ``collection``, ``facets`` and
``duplicates`` ask the engine, ``requested`` reads requests of programs, ``chart`` and ``area`` reckon for drawings,
``exports`` and ``equivalents`` write answers for elsewhere, ``problems`` turns errors into answers, ``translating``
is what HTTP and MCP share, ``reading`` and ``rendering`` read requests and fill in templates, ``api``, ``pages`` and
the ``*_routes`` are the faces of HTTP, ``safety`` guards them, ``app`` puts them together, and ``serving`` binds the
port. ``tools`` is the face for assistants, ``tool_schemas`` says what it takes, and ``mcp_server`` speaks with them.
"""
