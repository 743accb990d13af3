"""Analyse multi-image, multi-turn dialogue benchmarks such as MMDU and MMDU-45k, and models on them."""

import lazy_loader as _lazy

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
