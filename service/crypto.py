"""Encryption of single fields by AES-GCM, with keys that live outside the database.

What is sealed is bound to its row and column: moved elsewhere, it does not open. Each sealed value begins with the id
of its key, so that keys can be changed while the service runs. The key ring is a small JSON file:

    {"current": "k2", "keys": {"k1": "…", "k2": "…"}, "audit": "…"}
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from matcher.errors import KithError

_NONCE = 12


class KeysError(KithError):
    """Keys that are missing, unreadable, or not the ones with which a value was sealed."""


@dataclass(frozen=True)
class Place:
    """Where a sealed value belongs."""

    table: str
    row: str
    column: str

    @property
    def bytes(self) -> bytes:
        return json.dumps([self.table, self.row, self.column]).encode()


@dataclass
class KeyRing:
    """The keys of one installation. `file` is where they were read, and are looked up anew when it is another."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)
    audit: bytes = field(repr=False)
    file: Path | None = None
    _seen: tuple[int, int] | None = field(default=None, repr=False)
    """By which it is known whether the file is another by now."""

    @classmethod
    def new(cls) -> KeyRing:
        return cls("k1", {"k1": AESGCM.generate_key(256)}, secrets.token_bytes(32))

    @classmethod
    def read(cls, file: Path) -> KeyRing:
        """Raises KeysError where the file is missing, another account's, open to others, or not a key ring."""
        try:
            if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise KeysError(f"“{file}” can be read by others. Run `chmod 600 {file}`.")
            seen = _stamp(file)
            content = json.loads(file.read_text(encoding="utf-8"))
            keys = {name: _key(text) for name, text in content["keys"].items()}
            ring = cls(content["current"], keys, _key(content["audit"]), file, seen)
        except FileNotFoundError:
            raise KeysError(
                f"The keys “{file}” are not there, and without them nothing can be read. "
                "Put the file back from where it is kept, or name it by KITH_KEYS_FILE. "
                "In a new installation `kith migrate` makes it."
            ) from None
        except PermissionError:
            raise KeysError(
                f"The keys “{file}” belong to another account. Run Kith as the account of the service, or give "
                f"them to it by `chown ACCOUNT {file}`."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KeysError(f"“{file}” is not a key ring. Put the file back from where it is kept.") from None
        if ring.current not in ring.keys:
            raise KeysError(f"“{file}” has no key “{ring.current}”, which it calls the current one.")
        return ring

    def write(self, file: Path) -> None:
        """Writes the ring whole or not at all, readable by its owner alone.

        Root writes it for whom it belonged to before, or for the owner of its folder: a service that runs must go on
        reading it.
        """
        content = {
            "current": self.current,
            "keys": {name: base64.b64encode(key).decode() for name, key in self.keys.items()},
            "audit": base64.b64encode(self.audit).decode(),
        }
        beside = file.with_name(f"{file.name}.new")
        beside.unlink(missing_ok=True)  # one that was left there may be open to others
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        if os.name == "posix" and os.geteuid() == 0:
            owner = (file if file.exists() else file.parent).stat()
            os.chown(beside, owner.st_uid, owner.st_gid)
        beside.replace(file)
        sync_folder(file)  # before anything is sealed by a key that could be lost
        self.file, self._seen = file, _stamp(file)

    def digest(self, purpose: str, text: str) -> str:
        """By which a text is known again and cannot be read. It stays the same when keys are rotated."""
        key = hmac.new(self.audit, purpose.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def rotated(self) -> KeyRing:
        """The ring with a new current key; the old ones still open what they sealed."""
        name = f"k{1 + max(int(key.removeprefix('k')) for key in self.keys)}"
        return KeyRing(name, {**self.keys, name: AESGCM.generate_key(256)}, self.audit, self.file)

    def only_current(self) -> KeyRing:
        """The ring without the old keys, once nothing is sealed by them any more."""
        return KeyRing(self.current, {self.current: self.keys[self.current]}, self.audit, self.file)

    def seal(self, text: str, place: Place) -> bytes:
        """By the key that is current now, whichever process made it: one before it may be about to be forgotten."""
        if self.file is not None and self._seen != _stamp(self.file):
            self._look_again(self.file)
        current, nonce = self.current, secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.keys[current]).encrypt(nonce, text.encode(), place.bytes)
        return current.encode() + b":" + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """Raises KeysError if the key is not known, or the value was changed or belongs elsewhere."""
        name, _, rest = sealed.partition(b":")
        key = self._key(name.decode(errors="replace"), place)
        try:
            return AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], place.bytes).decode()
        except InvalidTag:
            raise KeysError(f"{place.table}.{place.column} of {place.row} was changed outside Kith.") from None

    def sealed_by(self, sealed: bytes) -> str:
        """The id of the key that sealed a value."""
        return sealed.partition(b":")[0].decode(errors="replace")

    def _key(self, name: str, place: Place) -> bytes:
        if name not in self.keys and self.file is not None:
            self._look_again(self.file)  # another process may have rotated the keys
        if name not in self.keys:
            raise KeysError(
                f"{place.table}.{place.column} of {place.row} was sealed by key “{name}”, which is not here."
            )
        return self.keys[name]

    def _look_again(self, file: Path) -> None:
        """The keys that were known still open, and a thread in between always finds the current one."""
        newer = KeyRing.read(file)
        self.keys = {**self.keys, **newer.keys}
        self.current, self._seen = newer.current, newer._seen


def sync_folder(file: Path) -> None:
    """Has the disk keep the name of a file that was just put in its place."""
    if os.name == "posix":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        there = file.stat()
    except OSError:
        return None
    return there.st_ino, there.st_mtime_ns


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError("a key has 256 bits")
    return key
