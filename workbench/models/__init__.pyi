from .card import ModelCard
from .catalogue import find_card, known_cards, model_names
from .devices import resolve_device, resolve_devices
from .export import export_model
from .instance_decoders import Decoder
from .live_model import Model
from .preprocessing import InputChannels
from .prompted import PromptedModel
from .registry import find_model, identify_model, load_prompted
from .self_check import check_model
from .stain_sensitivity import StainSensitivity
from .text_tower import TextEncoder, load_text_encoder
from .tile_model import TileModel

__all__ = [
    "Decoder",
    "InputChannels",
    "Model",
    "ModelCard",
    "PromptedModel",
    "StainSensitivity",
    "TextEncoder",
    "TileModel",
    "check_model",
    "export_model",
    "find_card",
    "find_model",
    "identify_model",
    "known_cards",
    "load_prompted",
    "load_text_encoder",
    "model_names",
    "resolve_device",
    "resolve_devices",
]
