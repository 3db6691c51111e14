from .register import register
from .registration import Registration, open_registration

__all__ = ["Registration", "open_registration", "register"]
