"""The marketing workbench as a library: `ma.connect()` gives every number as a DataFrame."""

from importlib import import_module

_PUBLIC = {
    "connect": "ma.notebook",
    "Workbench": "ma.notebook",
    "Settings": "ma.settings",
    "MaError": "ma.errors",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    # Lazy, so that importing one part does not pay for the others.
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ma' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
