"""Reading the site file."""

import os
from pathlib import Path

import msgspec
import yaml

from turnstile import config
from turnstile.errors import ConfigError

MAX_BYTES = 256 * 1024


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases, which could make a small file enormous, and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def load(path: Path) -> config.Site:
    """Return the site that a file describes, its relative paths made absolute from the file's folder.

    Raises:
        ConfigError: the file cannot be read, is over 256 kB, is not plain YAML, or does not describe a site.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} kB; a site file is a few kilobytes")
    try:
        document = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not plain YAML: {' '.join(str(error).split())}") from error
    try:
        return _absolute(config.build(document), path.resolve().parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _absolute(site: config.Site, folder: Path) -> config.Site:
    def under(path: str) -> str:
        """Keep symbolic links, which may lead elsewhere later: a camera's in ``/dev/v4l/by-id``."""
        try:
            return os.path.normpath(folder / Path(path).expanduser())
        except RuntimeError as error:
            raise ConfigError(f"the path {path} leads nowhere: {error}") from error

    def endpoint(address: str) -> str:
        path = address.removeprefix("ipc://")
        return address if path == address or path.startswith("@") else f"ipc://{under(path)}"

    def source(one: int | str | tuple[str, ...]) -> int | str | tuple[str, ...]:
        if isinstance(one, tuple):
            return tuple(under(path) for path in one)
        return one if isinstance(one, int) or "://" in one else under(one)

    def logger(one: config.Logger) -> config.Logger:
        file = under(one.file)
        beside = str(Path(file).with_suffix(".db"))
        return msgspec.structs.replace(
            one,
            file=file,
            store=(one.store if "://" in one.store else under(one.store)) if one.store else beside,
            witness=under(one.witness) if one.witness else "",
        )

    replace, broker, gallery = msgspec.structs.replace, site.broker, site.gallery
    return replace(
        site,
        broker=replace(broker, ingress=endpoint(broker.ingress), egress=endpoint(broker.egress)),
        gallery=replace(gallery, faces=under(gallery.faces), cache=under(gallery.cache)),
        loggers={name: logger(one) for name, one in site.loggers.items()},
        cameras={
            name: replace(camera, source=source(camera.source)) for name, camera in site.cameras.items()
        },
    )
