"""Content of a slide on a DICOMweb server: the attributes of all its files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import requests

from workbench.slide.identity.content_id import Content
from workbench.slide.identity.remote_watch import RemoteWatch
from workbench.slide.readers.dicom.web import WebSeries, fingerprint_of, web_error
from workbench.slide.readers.dicom.web_address import SeriesAddress

if TYPE_CHECKING:
    from workbench.slide.location import Location

_NOT_TELLING: Final = ("0020000D", "0020000E", "00081190")


def files_of(location: Location) -> tuple[str, ...]:  # noqa: ARG001 - as of all kinds
    """Return no files: none is on this machine."""
    return ()


def watch_of(location: Location) -> RemoteWatch:
    """Return the watch over the list of files of the series."""
    return RemoteWatch(_SeriesList(location.path), [location.path])


def content_of(location: Location) -> Content:
    """Return the content of the slide.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, SlideReadError
        If the server does not answer, or refuses access.
    """
    web = WebSeries(SeriesAddress.of(location.path))
    try:
        return Content((), fingerprint_of(web))
    except requests.RequestException as error:
        raise web_error(location.path, error) from None
    finally:
        web.close()


class _SeriesList:
    """The list of files of a series, with the methods of an fsspec file system."""

    def __init__(self, url: str) -> None:
        self._web = WebSeries(SeriesAddress.of(url))

    def invalidate_cache(self, _: str) -> None:
        """Do nothing: nothing is cached."""

    def info(self, _: str) -> dict[str, Any]:
        """Return the number of files, and a digest of what the server says of them."""
        listed = [
            {tag: value for tag, value in each.items() if tag not in _NOT_TELLING}
            for each in self._web.instances()
        ]
        text = sorted(json.dumps(each, sort_keys=True) for each in listed)
        digest = hashlib.sha256("\n".join(text).encode()).hexdigest()
        return {"size": len(listed), "digest": digest}
