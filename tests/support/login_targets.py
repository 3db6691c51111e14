"""Addresses that a login must not lead to."""

from __future__ import annotations

ELSEWHERE = [
    "http://evil.example/",
    "https:evil.example",
    "//evil.example/path",
    "///evil.example/path",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "/\r\nLocation: http://evil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%5Cevil.example",
    "/%09/evil.example",
    "/%252Fevil.example",
    "/\u2028/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "//[evil",
    "http://[",
    "",
    None,
]
