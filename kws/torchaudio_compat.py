"""torchaudio, also where its compiled extension does not fit the installed torch.

torchaudio 2.11 is published built for one CUDA release. Beside a CPU build of torch, or one for another CUDA, its
extension cannot be loaded and `import torchaudio` fails, although the spectrogram and all else we use is plain torch.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from kws.errors import Failure

_EXTENSION = "torchaudio._extension"


def import_torchaudio() -> Any:
    """The torchaudio module; where its extension cannot be loaded, a stand-in that says "not compiled" takes its place.

    An import that works is left alone. Raises Failure if torchaudio cannot be imported even so, ImportError if it is
    not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError) as error:  # not loadable; loadable, but compiled for another CUDA
        return _import_without_extension(error)


def _import_without_extension(reason: Exception) -> Any:
    _forget_torchaudio()
    sys.modules[_EXTENSION] = stand_in = _stand_in()
    try:
        torchaudio: Any = importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        _forget_torchaudio()
        raise Failure(
            f"torchaudio cannot be loaded beside this torch ({str(reason).splitlines()[0]}): "
            "pip install 'activate-kws[train]' brings the pair that fits."
        ) from error
    torchaudio._extension = stand_in
    return torchaudio


def _forget_torchaudio() -> None:
    """Drop what a failed import left half-made."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]


def _stand_in() -> ModuleType:
    module = ModuleType(_EXTENSION)
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=_without_alignment
    )
    return module


def _without_alignment(_function: Callable[..., Any]) -> Callable[..., NoReturn]:
    """A decorator: in place of the function, one that says what is missing."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("forced alignment needs torchaudio's compiled extension, which does not fit this torch")

    return fail
