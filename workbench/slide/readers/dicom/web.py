"""Reader of slides on a DICOMweb server: frames are fetched when they are needed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
import wsidicom
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset
from pydicom.uid import UID, JPEGBaseline8Bit
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from workbench.errors import (
    SlideError,
    SlideNotFoundError,
    SlideReadError,
    UnsupportedSlideError,
)
from workbench.slide.readers.dicom.reader import DicomReader
from workbench.slide.readers.dicom.web_address import (
    TOKEN_VARIABLE,
    SeriesAddress,
    token,
)
from workbench.slide.readers.jpeg_header import read_jpeg_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_TIMEOUT_S: Final = (10.0, 60.0)
"""Seconds for the connection, and between two blocks."""

_MAX_ANSWER: Final = 1 << 28
"""Bytes of an answer at most; a request is for the frames of one region."""

_CACHE_BYTES: Final = 64 << 20
"""Bytes of frames that are kept, encoded and decoded each."""

_RETRIES: Final = Retry(
    total=2, backoff_factor=0.2, status_forcelist=(502, 503, 504), raise_on_status=False
)
_BITS: Final = 8
_MAX_INSTANCES: Final = 1_000
_REFUSED: Final = (401, 403)
_ABSENT: Final = (404, 410)
_PROFILE: Final = "00282000"
_ADDRESSES: Final = ("BulkDataURI", "00081190")
_MAX_PROFILE: Final = 1 << 24
_SLIDE_CLASS: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_TOO_LONG: Final = f"an answer has more than {_MAX_ANSWER >> 20} MB"


class WebSeries(wsidicom.WsiDicomWebClient):  # type: ignore[misc] # untyped
    """A series on a DICOMweb server.

    The login is that of `~/.netrc` for the host, or the token of the environment; it is
    sent to that server alone, and redirections are not followed.

    Parameters
    ----------
    address : SeriesAddress
    """

    def __init__(self, address: SeriesAddress) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.max_redirects = 0
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _BoundedAdapter(max_retries=_RETRIES))
        if bearer := token():
            self._session.headers["Authorization"] = f"Bearer {bearer}"
        else:
            self._session.auth = requests.utils.get_netrc_auth(address.root)
        client = DICOMwebClient(
            address.root, session=self._session, timeout=_TIMEOUT_S, permissive_uid=True
        )
        client.set_http_retry_params(retry=False)  # the adapter tries again
        super().__init__(client)
        self._headers: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def instances(self) -> list[dict[str, Any]]:
        """Return what the server says of each file of the series, as DICOM JSON.

        Raises
        ------
        requests.RequestException
            If the server does not answer, or with an error.
        """
        found: list[dict[str, Any]] = self._client.search_for_instances(
            self.address.study,
            self.address.series,
            fields=["00280008", "00080016"],
            limit=_MAX_INSTANCES,
        )
        return found

    def header(self, instance: str) -> dict[str, Any]:
        """Return the attributes of a file as DICOM JSON; requested once."""
        if instance not in self._headers:
            self._headers[instance] = self._client.retrieve_instance_metadata(
                self.address.study, self.address.series, instance
            )
        header: dict[str, Any] = self._headers[instance]
        return header

    def get_instance(self, study_uid: UID, series_uid: UID, instance_uid: UID) -> Any:
        """Return the attributes of a file, with its colour profile."""
        if (str(study_uid), str(series_uid)) != (
            self.address.study,
            self.address.series,
        ):
            return super().get_instance(study_uid, series_uid, instance_uid)
        return Dataset.from_json(self.header(str(instance_uid)), self._bulk)

    def get_annotation_instances(self, *_: Any) -> Iterator[Any]:
        """Return none: results are opened as features or annotations."""
        return iter(())

    def _bulk(self, tag: str, _: str, uri: str) -> bytes | None:
        """Return a colour profile that is not in the attributes; of others nothing."""
        if tag.upper() != _PROFILE:
            return None
        _, studies, place = urlsplit(uri).path.partition("/studies/")
        if not studies:
            return None
        # The server may name itself otherwise, and the login is for this one alone.
        url = f"{self.address.root}{studies}{place}"
        parts = self._client.retrieve_bulkdata(
            url, media_types=("application/octet-stream",)
        )
        whole = b"".join(parts)
        return whole if len(whole) <= _MAX_PROFILE else None


class WebReader(DicomReader):
    """Reads a slide from a DICOMweb server through wsidicom.

    Parameters
    ----------
    path : str
        URL of the series.

    Raises
    ------
    SlideNotFoundError
        If the server has no such series.
    UnsupportedSlideError
        If the series is no brightfield slide, or the server refuses access.
    SlideReadError
        If the server cannot be reached.
    BrokenSlideError
        If its answers contradict each other.
    """

    def __init__(self, path: str) -> None:
        self.web = WebSeries(SeriesAddress.of(path))
        try:
            self._begin(path)
        except requests.RequestException as error:
            self.web.close()
            raise web_error(path, error) from None
        except BaseException:
            self.web.close()
            raise

    def _begin(self, path: str) -> None:
        listed = self.web.instances()
        if not listed:
            raise SlideNotFoundError(path)
        kinds = {_value(each, "00080016") for each in listed}
        if kinds.isdisjoint({_SLIDE_CLASS, ""}):
            reason = f"it is a DICOM {UID(min(kinds)).name}, not a whole-slide image"
            raise UnsupportedSlideError(path, reason, "Fetch it: workbench archive.")
        self._header: Any = Dataset()
        self._start(path, len(listed), self._open)
        self._refuse_mistaken_samples()

    def _open(self) -> wsidicom.WsiDicom:
        settings = wsidicom.Settings(
            decoded_frame_cache_size=_CACHE_BYTES,
            encoded_frame_cache_size=_CACHE_BYTES,
        )
        address = self.web.address
        slide = wsidicom.WsiDicom.open_web(
            self.web, address.study, address.series, settings=settings
        )
        finest = min(slide.pyramids[0], key=lambda level: level.level)
        name = finest.default_instance.dataset.uids.instance
        self._header = self.web.get_instance(address.study, address.series, name)
        bits = self._header.get("BitsAllocated") or _BITS
        if bits != _BITS:
            slide.close()
            reason = f"its samples have {bits} bits, not {_BITS}"
            raise UnsupportedSlideError(self.path, reason)
        return slide

    def _convert_error(self, error: Exception) -> SlideError:
        if isinstance(error, requests.RequestException):
            return web_error(self.path, error)
        return super()._convert_error(error)

    def _refuse_mistaken_samples(self) -> None:
        """Refuse frames whose JPEG declares YCbCr where the header says RGB."""
        first = self._stored[0].default_instance
        if first.image_data.transfer_syntax != JPEGBaseline8Bit:
            return
        if first.dataset.photometric_interpretation != "RGB":
            return
        uids = first.dataset.uids
        frames = self.web.get_frames(
            *(uids.slide.study_instance, uids.slide.series_instance, uids.instance),
            *([1], JPEGBaseline8Bit),
        )
        header = read_jpeg_header(next(frames))
        if header is not None and header.colours == "ycbcr":
            reason = "its header declares RGB, but its frames declare YCbCr"
            remedy = "Fetch it and convert it: workbench archive."
            raise UnsupportedSlideError(self.path, reason, remedy)

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        try:
            return self._read(level, x, y, width, height)
        except requests.RequestException as error:
            place = f"level {level} at ({x}, {y})"
            raise SlideReadError(self.path, place, _reason(error)) from None

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self.web.close()


def web_error(path: str, error: requests.RequestException) -> SlideError:
    """Return the error of a slide for one of a request."""
    status = error.response.status_code if error.response is not None else 0
    if status in _ABSENT:
        return SlideNotFoundError(path)
    if status in _REFUSED:
        remedy = f"Put the login into ~/.netrc, or a token into {TOKEN_VARIABLE}."
        return UnsupportedSlideError(
            path, f"the server refuses access ({status})", remedy
        )
    return SlideReadError(path, "the beginning", _reason(error))


def fingerprint_of(web: WebSeries) -> bytes:
    """Return a text that is equal for equal content: all attributes of all files.

    DICOM requires another identifier for a file with other pixels.
    """
    names = sorted(_value(each, "00080018") for each in web.instances())
    digest = hashlib.sha256()
    for name in names:
        header = _without_addresses(web.header(name))
        digest.update(json.dumps(header, sort_keys=True).encode())
    return f"dicomweb {len(names)} {digest.hexdigest()}".encode()


def _without_addresses(value: Any) -> Any:
    """Return attributes without the addresses that the server names itself by."""
    if isinstance(value, list):
        return [_without_addresses(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _without_addresses(each)
            for name, each in value.items()
            if name not in _ADDRESSES
        }
    return value


def _reason(error: requests.RequestException) -> str:
    """Return what went wrong, without addresses."""
    if isinstance(error, requests.TooManyRedirects):
        return "the server redirects to another address"
    if error.response is not None:
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return _TOO_LONG
    return f"the server cannot be reached ({type(error).__name__})"


def _value(item: dict[str, Any], tag: str) -> str:
    values = (item.get(tag) or {}).get("Value")
    return str(values[0]) if values else ""


class _BoundedAdapter(HTTPAdapter):
    """Ends answers that are longer than `_MAX_ANSWER`."""

    def build_response(self, *arguments: Any, **named: Any) -> requests.Response:
        """Return the answer, whose content is bounded."""
        response = super().build_response(*arguments, **named)
        response.raw = _BoundedContent(response.raw)
        return response


class _BoundedContent:
    """Content of an answer that is read up to a limit."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *arguments: Any, **named: Any) -> Iterator[bytes]:
        """Yield blocks, until there are too many bytes."""
        left = _MAX_ANSWER
        for block in self._raw.stream(*arguments, **named):
            left -= len(block)
            if left < 0:
                self._raw.close()
                raise requests.exceptions.ContentDecodingError(_TOO_LONG)
            yield block
