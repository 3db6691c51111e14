"""`Provenance`: what made a file, as one value that every format can hold as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from workbench.errors import ProvenanceError
from workbench.provenance.software import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY: Final = "workbench"
"""Name of the member, attribute or key of a file that holds the provenance."""

FORMAT: Final = 1
"""Format version of the record; increases on incompatible changes."""

MAX_BYTES: Final = 64_000_000
"""Maximum size of a record in bytes; regions of a million points take less."""

_MEMBER: Final = "provenance"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made an artefact: slide, options, model, stains, software, parents.

    All values are ready for JSON. Folders of the machine are left out, so that a file
    can be given away: a model, a reference or a slide has its name alone.

    Examples
    --------
    >>> made = wb.read_provenance(wb.export_run(run, "scores.geojson"))
    >>> made.kind, made.slide["id"] == slide.id
    ('export', True)
    """

    kind: str
    """Kind of artefact: "run", "export", "features", "annotations", "report",
    "registration", "slide", "picture" or "model"."""

    name: str = ""
    """Name of the artefact, such as that of the run's folder."""

    written: str = ""
    """Time in UTC, ISO 8601, at which the artefact was made."""

    slide: Mapping[str, Any] = field(default_factory=dict)
    """The slide: `id` (computed from its content), `name`, `size`, `mpp`, `reader`."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Options of the run, as in `run.json`."""

    model: Mapping[str, Any] = field(default_factory=dict)
    """Card of the model, with the SHA-256 of its weights."""

    normalizer: Mapping[str, Any] = field(default_factory=dict)
    """The fitted normalizer: method and stain matrices; empty: none."""

    run: Mapping[str, Any] = field(default_factory=dict)
    """How the run went: status, tiles, precision, batch size, grid, times."""

    sessions: tuple[Mapping[str, Any], ...] = ()
    """Each start of the run: device, hardware, threads and versions of packages."""

    software: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that wrote this artefact."""

    annotations: tuple[Mapping[str, Any], ...] = ()
    """Annotations that were used: `id`, `journal`, `line` (from 1) and the `sha256` of
    that line."""

    parents: tuple[Mapping[str, Any], ...] = ()
    """Artefacts that it was made from: `kind`, `name` and `digest`."""

    @classmethod
    def new(cls, kind: str, **facts: Any) -> Self:
        """Return the provenance of an artefact that is written now.

        Parameters
        ----------
        kind : str
        **facts
            Other fields.
        """
        return cls(kind=kind, written=now(), software=dict(versions()), **facts)

    @property
    def record(self) -> dict[str, Any]:
        """The fields that are not empty, ready for JSON, with the format version."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        listed = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value
        }
        return {"format": FORMAT, **listed}

    @property
    def block(self) -> dict[str, Any]:
        """The JSON object that a file holds under `KEY`."""
        return {_MEMBER: self.record}

    @property
    def text(self) -> str:
        """`block` as JSON in ASCII, on one line."""
        return json.dumps(self.block, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the record, by which artefacts name their parents."""
        text = json.dumps(self.record, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def derive(self, kind: str, **facts: Any) -> Self:
        """Return the provenance of an artefact made from this one, now.

        Parameters
        ----------
        kind : str
        **facts
            Fields that differ from those of this artefact.
        """
        parent = {"kind": self.kind, "name": self.name, "digest": self.digest}
        made = {
            "name": "",
            "written": now(),
            "software": dict(versions()),
            "parents": (parent,),
        }
        return replace(self, kind=kind, **{**made, **facts})

    @classmethod
    def of_block(cls, block: Any, where: object) -> Self | None:
        """Return the provenance in what a file holds under `KEY`.

        Parameters
        ----------
        block : object
            Decoded JSON.
        where : object
            Name of the file in messages.

        Returns
        -------
        Provenance or None
            None if there is no provenance in it.

        Raises
        ------
        ProvenanceError
            If it is damaged or has a newer format.
        """
        record = block.get(_MEMBER) if isinstance(block, dict) else None
        if record is None:
            return None
        if not isinstance(record, dict):
            raise _damaged(where, "it is not an object")
        number = record.get("format")
        if number != FORMAT:
            reason = f"its provenance has format {number!r:.20}, not {FORMAT}"
            remedy = "Read it with the version of this program that wrote it."
            raise ProvenanceError(where, reason, remedy)
        return cls(**dict(_checked(record, where)))

    @classmethod
    def of_text(cls, text: str | bytes, where: object) -> Self | None:
        """Return the provenance in the text that a file holds; see `of_block`."""
        if len(text) > MAX_BYTES:
            raise _damaged(where, f"it has more than {MAX_BYTES:,} bytes")
        try:
            block = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged(where, str(error)) from error
        return cls.of_block(block, where)


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _checked(record: Mapping[str, Any], where: object) -> Iterator[tuple[str, Any]]:
    """Yield the known fields of a record with their values."""
    if not isinstance(record.get("kind"), str):
        raise _damaged(where, "it has no 'kind'")
    for each in fields(Provenance):
        value = record.get(each.name)
        if value is None:
            continue
        if str(each.type).startswith("tuple"):
            if not isinstance(value, list) or not all(
                isinstance(v, dict) for v in value
            ):
                raise _damaged(where, f"its '{each.name}' is no list of objects")
            yield each.name, tuple(value)
            continue
        expected = str if each.type == "str" else dict
        if not isinstance(value, expected):
            raise _damaged(where, f"its '{each.name}' is a {type(value).__name__}")
        yield each.name, value


def _damaged(where: object, problem: str) -> ProvenanceError:
    return ProvenanceError(where, f"its provenance is damaged: {problem:.200}")
