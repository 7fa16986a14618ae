"""Reading YAML files that people edit: plain, bounded, and with the lines that errors are about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from turnstile.errors import ConfigError, Place

MAX_BYTES = 256 * 1024


class Document(NamedTuple):
    """A file's contents, and its text for finding lines."""

    path: Path
    value: object
    text: bytes

    @contextmanager
    def located(self) -> Iterator[None]:
        """Put the file and the line before the message of a ConfigError."""
        try:
            yield
        except ConfigError as error:
            line = f":{self.line_of(error.place)}" if error.place else ""
            raise ConfigError(f"{self.path}{line}: {error}") from error

    def line_of(self, place: Place) -> int:
        """Return the line, from 1, of the key or list entry that `place` leads to, or of what is nearest."""
        node = yaml.compose(self.text, PlainLoader)
        line = node.start_mark.line if node is not None else 0
        for step in place:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                found = [(node.value[step], node.value[step])]
            else:
                break
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line
        return int(line) + 1


class PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases, which could make a small file enormous, and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse keys that stand twice."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


_NOT_PLAIN = (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError)
"""What PyYAML raises: also `KeyError` for ``!!bool x`` and `AttributeError` for ``!!timestamp x``."""


def read(path: Path, *, kind: str) -> Document:
    """Return a file's contents.

    Args:
        path: of the file.
        kind: what it is, for errors: ``a site file``.

    Raises:
        ConfigError: it cannot be read, is over 256 kB, or is not plain YAML.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} kB; {kind} is a few kilobytes")
    try:
        return Document(path, yaml.load(text, PlainLoader), text)  # noqa: S506 - a SafeLoader
    except _NOT_PLAIN as error:
        raise ConfigError(f"{path}: not plain YAML: {' '.join(str(error).split())}") from error
