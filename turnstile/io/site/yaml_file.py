"""Reading YAML files that people edit: plain, bounded, and with the lines that errors are about."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from turnstile.errors import ConfigError, Place, UnreadableError
from turnstile.files.reading import read_file, why
from turnstile.site.secrecy import masked, without_secrets

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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Give the line of a value that its tag or form does not allow.

        PyYAML raises `KeyError` for ``!!bool x``, `AttributeError` for ``!!timestamp x`` and `ValueError` for
        2026-13-45 or ``!!int x``.
        """
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            kind = node.tag.rpartition(":")[2]
            words = f"no {kind}: {masked(str(node.value))!r:.80}"
            raise yaml.constructor.ConstructorError(None, None, words, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse keys that stand twice."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "expected a mapping", node.start_mark)
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {masked(key)!r} stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def read(path: Path, *, kind: str) -> Document:
    """Return a file's contents.

    Args:
        path: of the file.
        kind: what it is, for errors: ``a site file``.

    Raises:
        UnreadableError: it cannot be read, is over 256 kB, or is no text.
        ConfigError: it is not plain YAML.
    """
    try:
        text = read_file(path, at_most=MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {why(error, about=path)}") from error
    return parse(text, path, kind=kind)


def parse(text: bytes, path: Path, *, kind: str) -> Document:
    """Return what a text would hold as a file.

    Args:
        text: at most 256 kB.
        path: of the file, for errors.
        kind: as of `read`.

    Raises:
        UnreadableError: it is over 256 kB, or is no text.
        ConfigError: it is not plain YAML.
    """
    if len(text) > MAX_BYTES:
        raise UnreadableError(f"{path}: larger than {MAX_BYTES // 1024} kB; {kind} is a few kilobytes")
    _refuse_what_is_no_text(path, text)
    try:
        return Document(path, yaml.load(text, PlainLoader), text)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        words = without_secrets(" ".join(f"{error.context or ''} {error.problem or ''}".split()))
        raise ConfigError(f"{path}{line}: not plain YAML: {words}") from error
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        raise ConfigError(
            f"{path}: not plain YAML: {without_secrets(' '.join(str(error).split()))}"
        ) from error


def _refuse_what_is_no_text(path: Path, text: bytes) -> None:
    """Refuse what an editor would not have saved, but a failing disk, a loss of power or another program."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return  # PyYAML reads it
    try:
        at = text.find(b"\0")
        text.decode()
    except UnicodeDecodeError as error:
        at = error.start
    if at >= 0:
        line = text[:at].count(b"\n") + 1
        raise UnreadableError(f"{path}:{line}: not plain YAML: byte {at + 1} is no UTF-8 text")
