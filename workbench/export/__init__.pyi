from .cells import Cells
from .dispatch import EXPORTS, OBJECT_EXPORTS, VECTOR_EXPORTS, export_run
from .geojson import write_geojson
from .instances import write_coco, write_detections, write_geoparquet, write_rows
from .ometiff import write_ometiff
from .vectors import write_parquet
from .wsinfer_csv import write_csv

__all__ = [
    "EXPORTS",
    "OBJECT_EXPORTS",
    "VECTOR_EXPORTS",
    "Cells",
    "export_run",
    "write_coco",
    "write_csv",
    "write_detections",
    "write_geojson",
    "write_geoparquet",
    "write_ometiff",
    "write_parquet",
    "write_rows",
]
