"""Tokens: keys by which a program acts for its account, within scopes and for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from service import auth
from service.api.deps import Asking, Kith
from service.api.shapes import (
    Given,
    ListPage,
    PageNumber,
    PageSize,
    PrintableText,
    one_page,
    such_as,
)
from service.database.tables import User
from service.permissions import Permission

router = APIRouter(prefix="/tokens", tags=["tokens"])

TokenId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", examples=["0" * 64])]


class NewToken(Given):
    model_config = such_as(name="monthly report", scopes=["read"], days=90)
    name: Annotated[str, PrintableText] = Field(max_length=100)
    scopes: list[Permission] = Field(min_length=1, max_length=20, description="Of what the account itself may do.")
    days: int = Field(90, ge=1, le=auth.TOKEN_DAYS)


class TokenLine(BaseModel):
    id: str = Field(examples=["0" * 64], description="By which it is revoked. The token itself is not kept.")
    name: str = Field(examples=["monthly report"])
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime = Field(examples=["2027-02-18T10:30:00Z"])


class TokenPage(ListPage):
    tokens: list[TokenLine]


class TokenMade(BaseModel):
    token: str = Field(examples=["kith_…"], description="Told this once. Send it as `Authorization: Bearer …`.")


@router.get("")
def tokens(person: Asking, kith: Kith, page: PageNumber = 1, size: PageSize = 50) -> TokenPage:
    """Your own tokens that are still good, a page at a time, the newest first."""
    with kith.database.read() as session:
        total, found = one_page(session, auth.tokens_of(person.user_id), page, size)
        lines = [
            TokenLine(
                id=one.id, name=one.name, scopes=[Permission(scope) for scope in one.scopes],
                created_at=one.created_at, expires_at=one.expires_at,
            )
            for (one,) in found
        ]  # fmt: skip
    return TokenPage(total=total, page=page, tokens=lines)


@router.post("", status_code=201)
def make(given: NewToken, person: Asking, kith: Kith) -> TokenMade:
    """Makes a token of your account. Only somebody who is logged in may: no token makes another."""
    if person.login is None:
        raise HTTPException(403)
    with kith.database.write(person.authority_id) as session:
        user = session.get_one(User, person.user_id)
        made = auth.make_token(session, kith.keys, user, name=given.name, scopes=given.scopes, days=given.days)
    return TokenMade(token=made)


@router.delete("/{token_id}", status_code=204)
def revoke(token_id: TokenId, person: Asking, kith: Kith) -> None:
    """Ends one of your tokens at once."""
    with kith.database.write(person.authority_id) as session:
        auth.revoke_token(session, kith.keys, person.user_id, token_id)
