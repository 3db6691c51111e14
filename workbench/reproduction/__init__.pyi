from .causes import causes_of
from .comparison import Comparison
from .replay import Replay, replay

__all__ = ["Comparison", "Replay", "causes_of", "replay"]
