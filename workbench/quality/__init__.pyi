from .artefacts import Artefacts, find_artefacts
from .measures import SlideQuality, measure_quality

__all__ = ["Artefacts", "SlideQuality", "find_artefacts", "measure_quality"]
