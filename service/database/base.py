"""What the tables are made of: ids, times in UTC, sealed columns, and rows that belong to one authority."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, LargeBinary, MetaData, String, event
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

_SIGNS = "23456789BCDFGHJKMNPQRSTVWXYZ"
"""No vowels, so that no id is a word; no 0 and no 1, so that no two ids differ by leading zeros or by a look alone."""
ID_LENGTH = 12


def new_id(letter: str) -> str:
    """An opaque id such as C7KQ4M2XPH3R: the letter says of what. 28^11 ids a letter."""
    number, signs = secrets.randbelow(len(_SIGNS) ** (ID_LENGTH - 1)), letter
    for _ in range(ID_LENGTH - 1):
        number, place = divmod(number, len(_SIGNS))
        signs += _SIGNS[place]
    return signs


def utc_now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always with its time zone. SQLite keeps none, so that what comes back is told to be UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Sealed(TypeDecorator[bytes]):
    """Encrypted by `crypto` before it gets here. The type is the mark by which keys are changed and exports checked."""

    impl = LargeBinary
    cache_ok = True


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Apart:
    """A row that belongs to one authority. Sessions see those of their own authority alone: see `database.engine`."""

    authority_id: Mapped[str] = mapped_column(String(ID_LENGTH), ForeignKey("authorities.id"), index=True)


def id_column(letter: str) -> Mapped[str]:
    """The primary key of a table whose ids begin with a letter."""
    return mapped_column(String(ID_LENGTH), primary_key=True, info={"letter": letter})


@event.listens_for(Base, "init", propagate=True)
def _give_id(target: Base, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """As the object is made, not as it is written: what is sealed is bound to the id."""
    id_of = target.__table__.c.get("id")
    if id_of is not None and "letter" in id_of.info:
        kwargs.setdefault("id", new_id(id_of.info["letter"]))
