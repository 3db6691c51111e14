from .cells import Cells
from .dicom.marked import ANNOTATION_EXPORTS, export_annotations
from .dicom.slide import write_dicom_slide
from .dispatch import export_run
from .export_format import ExportFormat
from .features import FEATURE_EXPORTS, export_features, write_tile_table
from .formats import FORMATS, formats_of
from .geojson import write_geojson
from .instances import write_detections, write_geoparquet, write_rows
from .ometiff import write_ometiff
from .slides.convert import SLIDE_FORMATS, convert_slide
from .spatialdata import write_spatialdata
from .stores.coco import write_coco
from .trident import write_trident
from .vectors import write_parquet
from .wsinfer_csv import write_csv

__all__ = [
    "ANNOTATION_EXPORTS",
    "FEATURE_EXPORTS",
    "FORMATS",
    "SLIDE_FORMATS",
    "Cells",
    "ExportFormat",
    "convert_slide",
    "export_annotations",
    "export_features",
    "export_run",
    "formats_of",
    "write_coco",
    "write_csv",
    "write_detections",
    "write_dicom_slide",
    "write_geojson",
    "write_geoparquet",
    "write_ometiff",
    "write_parquet",
    "write_rows",
    "write_spatialdata",
    "write_tile_table",
    "write_trident",
]
