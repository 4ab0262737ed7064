"""The page, the HTTP API and the tools of MCP: requests are parsed, the engine is asked, and the answer is rendered.

From the bottom up: ``checking`` and ``schema`` say what a request may be, ``state`` turns an address into a request of
the engine and back, ``kept`` and ``uploads`` hold files, ``pictures`` makes thumbnails, ``collection`` asks the engine,
``exports`` and ``equivalents`` write answers for elsewhere, ``work`` bounds what runs at once, ``problems`` turns
errors into answers, ``translating`` is what HTTP and MCP share, ``api`` and ``pages`` are the two faces of HTTP,
``safety`` guards both, ``app`` puts them together, and ``serving`` binds the port. ``tools`` is the face for
assistants, ``tool_schemas`` says what it takes, and ``mcp_server`` speaks with them.
"""
