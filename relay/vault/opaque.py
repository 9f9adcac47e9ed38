"""The base of what holds a key or a number: not shown, changed or serialised by accident.

Most leaks are not attacks but an f-string in a log line, a crash reporter that prints local
variables, or an encoder that walks whatever it is given. So these classes print a fixed text,
refuse pickling and copying, have no ``__dict__`` to walk, and are not dataclasses (several encoders
serialise those field by field). This keeps honest code from leaking; it does not stop code that
means to read the attribute.
"""

from __future__ import annotations

from typing import Any, NoReturn, final

__all__ = ["Opaque"]


class Opaque:
    """Immutable, not serialisable, and printed without its content.

    Subclasses declare ``__slots__``, set them with ``object.__setattr__`` in ``__init__``, and
    override ``_public`` if there is something harmless to show.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        if "__slots__" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} must declare __slots__: a __dict__ can be walked")

    def _public(self) -> str:
        """What may be shown of it; overridden where there is something."""
        return "****"

    @final
    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({self._public()})"
        except AttributeError:  # half made: a crash in __init__ is being reported
            return f"{type(self).__name__}(****)"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is secret and cannot be pickled or copied")

    def __reduce__(self) -> NoReturn:
        self.__reduce_ex__(0)

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(0)

    def __setattr__(self, name: str, _value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")
