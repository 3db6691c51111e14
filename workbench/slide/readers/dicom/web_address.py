"""Address of a slide on a DICOMweb server, and the login for it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from workbench.errors import UnsupportedSlideError

TOKEN_VARIABLE: Final = "WORKBENCH_DICOMWEB_TOKEN"  # noqa: S105 - a name
"""Bearer token for DICOMweb servers; of `workbench archive`, a user and password in the
URL go before it."""

_SCHEMES: Final = {
    "dicomweb": "https",
    "dicomweb+https": "https",
    "dicomweb+http": "http",
    "https": "https",
    "http": "http",
}
_SERIES: Final = re.compile(
    r"([\w+]+)://[^?#]+/studies/([0-9.]{1,64})/series/([0-9.]{1,64})/?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class SeriesAddress:
    """Address of a series on a DICOMweb server."""

    root: str
    """Root of the services, with http or https, without user and password."""

    study: str
    """Study Instance UID."""

    series: str
    """Series Instance UID."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse the address of a series.

        Raises
        ------
        UnsupportedSlideError
            If it is none, or has a user or password, which would be saved with runs.
        """
        found = _SERIES.fullmatch(url)
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        plain = urlunsplit((parts.scheme, host, parts.path, "", ""))
        if found is None or not host:
            reason = "it is no address of a series of a DICOMweb server"
            remedy = "Give dicomweb://HOST/ROOT/studies/STUDY/series/SERIES."
            raise UnsupportedSlideError(plain, reason, remedy)
        if "@" in parts.netloc:
            reason = "its address has a user or password, which would be saved"
            remedy = f"Put them into ~/.netrc, or a token into {TOKEN_VARIABLE}."
            raise UnsupportedSlideError(plain, reason, remedy)
        path = parts.path.rpartition("/studies/")[0]
        root = urlunsplit((_SCHEMES[parts.scheme], host, path, "", ""))
        return cls(root, found[2], found[3])


def is_series(url: str) -> bool:
    """Return whether a URL is that of a series of a DICOMweb server."""
    found = _SERIES.fullmatch(url)
    if found is not None:
        return found[1].lower() in _SCHEMES
    return url.lower().startswith("dicomweb")


def token() -> str:
    """Return the token of the environment; empty: there is none."""
    return os.environ.get(TOKEN_VARIABLE, "")
