"""A service's database is set back: to how it stood once, at once, or by a backup, as docs/operations.md has it."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path

import own_postgres
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from service.backup import Restored, backup, restore
from service.database.engine import Database
from service.settings import Settings


class Backups(ABC):
    """Of one service. What a process of the service remembers beside its database, it remembers still."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self.settings, self.database, self.folder = settings, database, folder
        self.made: list[Path] = []
        self._numbers = count(1)

    def make(self) -> Path:
        self.made.append(self.folder / f"backup-{next(self._numbers)}")
        backup(self.settings, self.made[-1])
        return self.made[-1]

    def put_back(self, file: Path | None = None) -> Restored:
        """As people do it, with the database that is replaced still to be read. The last that was made, if none is
        given."""
        settings, replace = self.make_room()
        return restore(settings, file or self.made[-1], replace=replace)

    @abstractmethod
    def make_room(self) -> tuple[Settings, bool]:
        """The settings by which a backup can be put back now, and whether it replaces what is there."""

    @abstractmethod
    def remember(self) -> None:
        """As it stands now is how it stands again after `set_back`."""

    @abstractmethod
    def set_back(self) -> None:
        """As if nothing had ever happened, and no backup had been made."""
        self.made = []

    @abstractmethod
    def damage(self) -> None:
        """What is there cannot be read any more."""


class OfAFile(Backups):
    def make_room(self) -> tuple[Settings, bool]:
        self.database.close()
        return self.settings, True

    def remember(self) -> None:
        backup(self.settings, self.folder / "remembered")

    def set_back(self) -> None:
        super().set_back()
        self.database.close()
        for beside in (self._place, *self._place.parent.glob(f"{self._place.name}-*")):
            beside.unlink(missing_ok=True)
        shutil.copy(self.folder / "remembered", self._place)

    def damage(self) -> None:
        self.database.close()
        self._place.write_bytes(b"damaged" * 1000)

    @property
    def _place(self) -> Path:
        return Path(self.database.engine.url.database or "")


class OfAServer(Backups):
    """The database in use keeps its name, and so its addresses: another is made by it, and the former one renamed."""

    def __init__(
        self, settings: Settings, database: Database, folder: Path, server: str, patch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(settings, database, folder)
        patch.setenv("PATH", f"{own_postgres.PROGRAMS}{os.pathsep}{os.environ['PATH']}")
        self._server, self._name = server, str(database.engine.url.database)
        self._remembered, self._former = f"{self._name}_remembered", f"{self._name}_former"

    def make_room(self) -> tuple[Settings, bool]:
        self._do(
            f"DROP DATABASE IF EXISTS {self._former} WITH (FORCE)",
            f"ALTER DATABASE {self._name} RENAME TO {self._former}",  # which waits until nobody has it open
            f"CREATE DATABASE {self._name} OWNER kith_owner",
        )
        url = make_url(self.settings.database_url.get_secret_value()).set(database=self._former)
        former = SecretStr(url.render_as_string(hide_password=False))
        return self.settings.model_copy(update={"former_url": former}), False

    def remember(self) -> None:
        self._do(f"CREATE DATABASE {self._remembered} TEMPLATE {self._name}")

    def set_back(self) -> None:
        super().set_back()
        self._do(
            f"DROP DATABASE {self._name} WITH (FORCE)",
            f"CREATE DATABASE {self._name} OWNER kith_owner TEMPLATE {self._remembered}",
        )

    def damage(self) -> None:
        self._do("DROP TABLE alembic_version", of=self._name)

    def forget(self) -> None:
        self._do(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in (self._remembered, self._former)))

    def _do(self, *statements: str, of: str | None = None) -> None:
        self.database.close()
        with psycopg.connect(self._server, autocommit=True, **({"dbname": of} if of else {})) as connection:
            for one in statements:
                connection.execute(one)


def sequences_of(variable: str, database: Database, enough: int) -> int:
    """How many sequences of a state machine are drawn: as the environment says, or enough for all to happen that may.

    Or four on PostgreSQL, so that the tests take no longer than they have to: what people do is the same there. Each
    ends with a restore.
    """
    return int(os.environ.get(variable, enough if database.sqlite else 4))
