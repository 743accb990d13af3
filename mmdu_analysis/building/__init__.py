"""Build a benchmark of dialogues from one's own images: cluster items, write dialogues, review them, export.

The steps of the paper's sections 2.2 and 3.1, each as a function and as a command: ``mmdu build cluster``, ``write``,
``review`` and ``export``.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
