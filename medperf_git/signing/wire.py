"""The length-prefixed fields of SSH (RFC 4251 section 5), read with bounds."""


def pack_string(data: bytes) -> bytes:
    """Return `data` behind its length in four bytes, most significant first."""
    return len(data).to_bytes(4, "big") + data


class FieldReader:
    """Guards a position in `data`: no field can reach past its end (ValueError)."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self._position + size
        if end > len(self._data):
            raise ValueError("the data ends inside a field")
        piece = self._data[self._position : end]
        self._position = end
        return piece

    def number(self) -> int:
        """Return the next four bytes as an unsigned integer."""
        return int.from_bytes(self.read(4), "big")

    def string(self) -> bytes:
        """Return the next length-prefixed field."""
        return self.read(self.number())

    def finish(self) -> None:
        """Require that nothing is left."""
        if self._position != len(self._data):
            raise ValueError("data follows the last field")
