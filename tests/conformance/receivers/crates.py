"""RO-Crate: the validator of its profiles, and the library that reads crates."""

from __future__ import annotations

import json
from pathlib import Path

import rocrate
from receiving import check, main
from rocrate.rocrate import ROCrate
from rocrate_validator.services import validate
from rocrate_validator.utils import document_loader

KINDS = ("scores", "instances")
FETCHING = ("ro-crate-1.1_3.1", "ro-crate-1.1_3.2")
"""Checks that ask the network whether the context of the specification is there."""

CONTEXT = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


def context_of(url):
    """Return the context of RO-Crate that comes with rocrate, without a network."""
    assert url.startswith("https://w3id.org/ro/crate/"), url
    return json.loads(CONTEXT.read_text(encoding="utf-8"))


# The validator has no other way to be told.
document_loader._fetch_json_ld = context_of


@check("ro-crate", "roc-validator")
def profile(folder, _expected):
    """Nothing required is missing (two checks that fetch the context left out)."""
    for kind in KINDS:
        settings = {
            "rocrate_uri": str(folder / f"{kind}-ro-crate"),
            "profile_identifier": "process-run-crate",
            "requirement_severity": "REQUIRED",
            "skip_checks": list(FETCHING),
        }
        result = validate(settings)
        said = [f"{each.check.identifier}: {each.message}" for each in result.issues]
        assert result.passed(), said
        assert len(result.executed_checks) > 1


@check("ro-crate", "rocrate")
def action(folder, _expected):
    """The library finds the action, its program, the slide and every file."""
    for kind in KINDS:
        crate = ROCrate(folder / f"{kind}-ro-crate")
        (made,) = (e for e in crate.contextual_entities if e.type == "CreateAction")
        assert made["instrument"]["name"]
        assert "slide.tiff" in {each.get("name") for each in made["object"]}
        stored = {each.id for each in crate.data_entities}
        assert {each.id for each in made["result"]} <= stored | {"./"}


main()
