"""When and by which version a record was written."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


def written_now() -> dict[str, str]:
    """Return the time and the version of this program, for records."""
    try:
        current = version("slide-workbench")
    except PackageNotFoundError:  # a source checkout that is not installed
        current = "unknown"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"created": now, "version": current}
