"""The keys folder: one CURVE key pair a name, and who it belongs to.

    keys/broker.key, broker.key_secret
    keys/<role>/<name>.key, <name>.key_secret
    keys/revoked/<name>-<time>.key

The files are pyzmq's certificates, made and read by `zmq.auth`, so other ZeroMQ tools read them too. A public
key whose file stands in a role's folder is let in under that role and name: to revoke is to move it away. A
node's machine has the same folder with only its own secret and the broker's public key in it.

All files are their owner's alone. A secret that others can read is closed to them with a warning, and one
that cannot be is refused.
"""

import logging
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from turnstile.counts import counted
from turnstile.errors import ConfigError
from turnstile.files.reading import why
from turnstile.files.whole import write_whole
from turnstile.io.site.descriptors import are_used_up
from turnstile.protocol.roles import OPERATOR, ROLES, Identity, Role, is_own_name
from turnstile.site.settings import Site

BROKER = "broker"
"""The observer whose key `status` and `tail` use on the broker's machine."""

REVOKED = "revoked"
_PUBLIC, _SECRET = ".key", ".key_secret"

HOW = (
    "make them with `turnstile keys init --config FILE`, for the broker and the nodes that the file names, "
    "and pack what another machine needs with `turnstile keys bundle NAME --config FILE`"
)

log = logging.getLogger("turnstile")

Stamp = tuple[tuple[int, int], ...]
"""Changes whenever a file is put into or out of one of the folders, or its rights change."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A CURVE key pair in Z85, 40 characters each."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.public.decode()})"


@dataclass(frozen=True, kw_only=True)
class NodeKey:
    """What a node needs to reach the broker: its own pair, and the broker's public key."""

    who: Identity
    own: KeyPair
    broker_public: bytes


class KeyFolder:
    """A folder of keys: the broker's, with everybody's public key, or a node's, with its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> bool:
        """Make the folder and the broker's pair; return False when it has one already."""
        self._private_folder(self.path)
        if _is_there(self.path / f"{BROKER}{_SECRET}"):
            return False
        self._make_pair(self.path, BROKER)
        return True

    def add(self, who: Identity) -> None:
        """Make a pair for a name that has none.

        Raises:
            ConfigError: the name has a key already, is the broker's, or a recognizer's would speak for it.
        """
        self.broker_public()
        if who.name == BROKER:
            raise ConfigError(f"the name {BROKER} is the broker's own")
        for other in self.identities():
            if other.name == who.name:
                raise ConfigError(f"{who.name} has a key already, as {other.role}; revoke it first")
            if is_own_name(other, who.name) or is_own_name(who, other.name):
                raise ConfigError(
                    f"a recognizer's key speaks for its numbered names too: {who.name} and {other.name} "
                    "would speak for each other; choose another name"
                )
        folder = self.path / who.role
        self._private_folder(folder)
        self._make_pair(folder, who.name)

    def revoke(self, name: str) -> Identity:
        """Take a name's key out of use; the broker cuts it off within a second.

        Raises:
            ConfigError: there is no such key.
        """
        who = self.find(name)
        public = self.path / who.role / f"{name}{_PUBLIC}"
        self._private_folder(self.path / REVOKED)
        public.replace(self.path / REVOKED / f"{name}-{time.time_ns()}{_PUBLIC}")
        public.with_suffix(_SECRET).unlink(missing_ok=True)
        return who

    def find(self, name: str) -> Identity:
        """Return whose key bears a name.

        Raises:
            ConfigError: nobody's does.
        """
        known = sorted(self.identities())
        for who in known:
            if who.name == name:
                return who
        names = ", ".join(who.name for who in known) or "nobody yet"
        raise ConfigError(f"no key is named {name}; there are keys for: {names}")

    def identities(self) -> list[Identity]:
        """Return everybody who has a public key here."""
        return [Identity(role, path.stem) for role, path in self._files(_PUBLIC)]

    def revoked(self) -> list[tuple[str, int]]:
        """Return the names of keys out of use and when they were revoked, in nanoseconds since 1970.

        Raises:
            ConfigError: the folder of those keys cannot be read.
        """
        folder = self.path / REVOKED
        try:
            parts = [path.stem.rpartition("-") for path in folder.iterdir() if path.suffix == _PUBLIC]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error
        return sorted((name, int(at)) for name, _, at in parts if at.isdecimal())

    def keep_pair(self, who: Identity, pair: KeyPair) -> None:
        """Keep a node's pair that was made elsewhere, in the place of an older one."""
        self._private_folder(self.path / who.role)
        self._keep(self.path / who.role / f"{who.name}{_SECRET}", pair.public, pair.secret)

    def keep_broker_public(self, key: bytes) -> None:
        """Keep the public key of a broker elsewhere."""
        self._private_folder(self.path)
        self._keep(self.path / f"{BROKER}{_PUBLIC}", key)

    def stamp(self) -> Stamp:
        """Return what changes when keys are added or revoked."""
        folders = (self.path, *(self.path / role for role in ROLES))
        return tuple(_changed(folder) for folder in folders)

    def registry(self) -> dict[str, Identity]:
        """Return who each public key belongs to; files that hold none are left out, with a warning.

        A copy of a key under a second name changes nothing for the first one in order.

        Raises:
            OSError: the process has no descriptor left to read with.
        """
        found: dict[str, Identity] = {}
        for role, path in self._files(_PUBLIC):
            who = Identity(role, path.stem)
            try:
                owner = found.setdefault(_public_of(path).decode(), who)
            except ConfigError as error:
                log.warning("%s", error)
            else:
                if owner != who:
                    log.warning("%s: the same key as that of %s; remove one of them", path, owner)
        return found

    def has(self, who: Identity) -> bool:
        """Tell whether a name has a public key, without reading it."""
        try:
            return _is_there(self.path / who.role / f"{who.name}{_PUBLIC}")
        except ConfigError:
            return False

    def broker_public(self) -> bytes:
        """Return the broker's public key.

        Raises:
            ConfigError: the folder has none.
        """
        path = self.path / f"{BROKER}{_PUBLIC}"
        if not _is_there(path):
            raise ConfigError(f"keys: {self.path} has no broker's key; {HOW}")
        return _public_of(path)

    @property
    def came_in_a_bundle(self) -> bool:
        """Tell whether the broker's own pair is on another machine, and these keys are some of its."""
        public, secret = (self.path / f"{BROKER}{ending}" for ending in (_PUBLIC, _SECRET))
        return _is_there(public) and not _is_there(secret)

    def broker_pair(self) -> KeyPair:
        """Return the broker's own pair.

        Raises:
            ConfigError: the folder has none, or others could read or change it.
        """
        self.broker_public()
        for folder in (self.path, *(self.path / role for role in ROLES)):
            _close_to_others(folder, forbidden=stat.S_IWGRP | stat.S_IWOTH)
        return _pair_of(self.path / f"{BROKER}{_SECRET}")

    def node_key(self, who: Identity) -> NodeKey:
        """Return what a node needs to reach the broker.

        Raises:
            ConfigError: the folder has no key for it, or others could read it.
        """
        broker_public = self.broker_public()
        own = [path for role, path in self._files(_SECRET) if role == who.role]
        for path in sorted(own, key=lambda path: path.stem != who.name):
            if is_own_name(Identity(who.role, path.stem), who.name):
                return NodeKey(who=who, own=_pair_of(path), broker_public=broker_public)
        names = ", ".join(sorted(path.stem for path in own)) or "nobody"
        raise ConfigError(
            f"no key for the {who.role} {who.name} in {self.path}; {who.role} keys here are of: {names}. "
            f"Make one with `turnstile keys add {who.name} --role {who.role}`"
        )

    def observer_key(self, name: str | None = None, *, preferred: str = OPERATOR) -> NodeKey:
        """Return the key with which commands look on: the one named, the preferred one, or the only one.

        Raises:
            ConfigError: there is none, or several and none was named or is preferred.
        """
        names = self.own_names("observer")
        if name is None and preferred not in names and len(names) > 1:
            raise ConfigError(f"--name is needed: {self.path} has the observers' keys of {', '.join(names)}")
        only = preferred if preferred in names or not names else names[0]
        return self.node_key(Identity("observer", name or only))

    def own_names(self, role: Role) -> list[str]:
        """Return the names in this role whose secret keys are here."""
        return sorted(path.stem for of, path in self._files(_SECRET) if of == role)

    def _files(self, suffix: str) -> Iterator[tuple[Role, Path]]:
        """Give the files of all roles, by role and name; a folder that cannot be read is named."""
        for role in ROLES:
            folder = self.path / role
            try:
                files = [path for path in folder.iterdir() if path.name.endswith(suffix)]
            except FileNotFoundError:
                continue
            except OSError as error:
                if are_used_up(error):
                    raise
                log.warning(
                    "%s: no %s key counts, as the folder cannot be read: %s", folder, role, error.strerror
                )
                continue
            yield from ((role, path) for path in sorted(files, key=lambda path: path.stem))

    def _make_pair(self, folder: Path, name: str) -> None:
        """Make both files, the secret first: the broker reads while we write."""
        public, secret = zmq.curve_keypair()
        self._keep(folder / f"{name}{_SECRET}", public, secret)
        self._keep(folder / f"{name}{_PUBLIC}", public)

    def _keep(self, path: Path, public: bytes, secret: bytes | None = None) -> None:
        """Write a certificate as `zmq.auth.load_certificate` reads it."""
        lines = [b"curve", b'    public-key = "%s"' % _z85(public, path)]
        if secret is not None:
            lines.append(b'    secret-key = "%s"' % _z85(secret, path))
        write_private(path, b"\n".join([*lines, b""]))

    def _private_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
        _close_to_others(folder, forbidden=0o077)


def key_to_look_on(site: Site, name: str | None = None, *, preferred: str = OPERATOR) -> NodeKey | None:
    """Return the observer's key for commands such as ``status``; none if the site has no keys.

    Raises:
        ConfigError: the site has keys, but no observer's here; or several, and none was named.
    """
    if site.keys is None:
        return None
    return KeyFolder(Path(site.keys.folder)).observer_key(name, preferred=preferred)


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file that only its owner can read.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data, durable=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def _pair_of(path: Path) -> KeyPair:
    _close_to_others(path, forbidden=0o077)
    public, secret = _load(path)
    if secret is None:
        raise ConfigError(f"{path}: holds no secret key")
    return KeyPair(public=_z85(public, path), secret=_z85(secret, path))


def _public_of(path: Path) -> bytes:
    return _z85(_load(path)[0], path)


def _is_there(path: Path) -> bool:
    """Tell whether something has this name, be it a link that leads nowhere.

    Raises:
        ConfigError: nobody can tell.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked at: {why(error, about=path)}") from error
    return True


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # nobody may ever write into a pipe
            raise ConfigError(f"{path}: not a key file: it is no file")
        return zmq.auth.load_certificate(path)
    except (OSError, ValueError, IndexError) as error:  # pyzmq takes a line without "=" for a list of two
        if isinstance(error, OSError) and are_used_up(error):
            raise
        raise ConfigError(f"{path}: not a key file: {error}") from error


def _z85(key: bytes, path: Path) -> bytes:
    try:
        decoded = z85.decode(key)
    except (KeyError, ValueError, struct.error) as error:
        raise ConfigError(f"{path}: the key is not Z85 text") from error
    if len(decoded) != 32:
        raise ConfigError(f"{path}: the key has {counted(len(key), 'character')}; 40 are valid")
    return key


def _close_to_others(path: Path, *, forbidden: int) -> None:
    """Take these rights away from group and others.

    Raises:
        ConfigError: they have them, and we may not take them away.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked at: {why(error, about=path)}") from error
    if not mode & forbidden:
        return
    try:
        path.chmod(mode & ~0o077)
    except OSError as error:
        raise ConfigError(
            f"{path}: others can read or change it (mode {mode:o}): chmod go= {path}"
        ) from error
    log.warning(
        "%s could be read or changed by others (mode %o) and now cannot; if others use this machine, replace "
        "the key",
        path,
        mode,
    )


def _changed(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_ctime_ns)
