"""large_image: the schema that HistomicsUI's annotations must satisfy."""

from __future__ import annotations

import json

import jsonschema
from girder_large_image_annotation.models.annotation import AnnotationSchema
from receiving import check, main


@check("histomicsui", "girder-large-image-annotation")
def schema(folder, expected):
    """The schema of annotations accepts instances and scores."""
    validator = jsonschema.Draft6Validator(AnnotationSchema.annotationSchema)
    for kind in ("instances", "scores"):
        path = folder / f"{kind}-histomicsui.histomicsui.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        validator.validate(content)
    assert len(content["elements"]) == len(expected["score_classes"])


main()
