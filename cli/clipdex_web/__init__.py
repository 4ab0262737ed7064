"""The local page and the HTTP API: requests are parsed, the engine is called once, and the answer is rendered.

From the bottom up: ``checking`` and ``schema`` say what a request may be, ``state`` turns an address into a request of
the engine and back, ``kept`` and ``uploads`` hold files, ``pictures`` makes thumbnails, ``collection`` asks the engine,
``exports`` and ``equivalents`` write answers for elsewhere, ``work`` bounds what runs at once, ``problems`` turns
errors into answers, ``api`` and ``pages`` are the two faces, ``safety`` guards both, ``app`` puts them together, and
``serving`` binds the port.
"""
