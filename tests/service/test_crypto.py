"""Sealed values: bound to their place, opened by their key alone; and the file that holds the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.crypto import KeyRing, KeysError, Place

NAME = Place("children", "C2", "person")


def test_a_sealed_value_opens_in_its_place_alone() -> None:
    ring = KeyRing.new()
    sealed = ring.seal("Blåbær", NAME)
    assert ring.open(sealed, NAME) == "Blåbær"
    assert b"Bl" not in sealed[3:]
    for elsewhere in (
        Place("children", "C3", "person"),
        Place("children", "C2", "facts"),
        Place("users", "C2", "person"),
    ):
        with pytest.raises(KeysError, match="changed outside Kith"):
            ring.open(sealed, elsewhere)


def test_a_changed_value_does_not_open() -> None:
    ring = KeyRing.new()
    sealed = bytearray(ring.seal("text", NAME))
    sealed[-1] ^= 1
    with pytest.raises(KeysError):
        ring.open(bytes(sealed), NAME)


def test_the_same_text_is_never_sealed_alike() -> None:
    ring = KeyRing.new()
    assert ring.seal("text", NAME) != ring.seal("text", NAME)


def test_old_values_open_after_a_rotation_and_not_without_their_key() -> None:
    old = KeyRing.new()
    sealed = old.seal("text", NAME)
    ring = old.rotated()
    assert (ring.current, ring.open(sealed, NAME), ring.sealed_by(ring.seal("new", NAME))) == ("k2", "text", "k2")
    with pytest.raises(KeysError, match="“k1”, which is not here"):
        ring.only_current().open(sealed, NAME)


def test_a_process_that_runs_finds_the_key_that_another_made(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    KeyRing.new().write(file)
    running = KeyRing.read(file)
    rotated = KeyRing.read(file).rotated()
    rotated.write(file)
    assert running.open(rotated.seal("text", NAME), NAME) == "text"
    assert running.current == "k2"


def test_a_process_that_runs_seals_by_no_key_that_another_has_replaced(tmp_path: Path) -> None:
    """Though it has opened nothing since: the old key may be forgotten, and what it sealed would be lost."""
    file = tmp_path / "keys.json"
    KeyRing.new().write(file)
    running = KeyRing.read(file)
    before = running.seal("before", NAME)
    KeyRing.read(file).rotated().only_current().write(file)
    sealed = running.seal("after", NAME)
    assert KeyRing.read(file).open(sealed, NAME) == "after"
    assert running.open(before, NAME) == "before"  # begun before, and not yet sealed anew


def test_a_file_that_was_left_half_written_opens_the_keys_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "keys.json.new").touch(mode=0o644)
    KeyRing.new().write(tmp_path / "keys.json")
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    KeyRing.new().write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600"):
        KeyRing.read(file)


def test_root_writes_the_file_for_the_account_that_had_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.chown", lambda path, *owner: given.append((Path(path).name, *owner)))
    file = tmp_path / "keys.json"
    KeyRing.new().write(file)
    KeyRing.read(file).rotated().write(file)
    there = file.stat()
    assert given == [("keys.json.new", there.st_uid, there.st_gid)] * 2


def test_the_file_of_another_account_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.json"
    KeyRing.new().write(file)

    def refused(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(KeysError, match="belong to another account"):
        KeyRing.read(file)


@pytest.mark.parametrize("content", ["", "{}", '{"current": "k1", "keys": {"k1": "short"}, "audit": "x"}', "[1]"])
def test_what_is_no_key_ring_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(KeysError, match="is not a key ring"):
        KeyRing.read(file)
    with pytest.raises(KeysError, match="are not there"):
        KeyRing.read(tmp_path / "nowhere.json")


def test_keys_are_never_shown() -> None:
    ring = KeyRing.new()
    assert repr(ring) == "KeyRing(current='k1', file=None)"
