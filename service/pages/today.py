"""Today: what a coordinator should look at first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.api.deps import Asking
from service.pages.html import render

router = APIRouter()


@router.get("/")
def today_page(request: Request, person: Asking) -> Response:
    return render(request, "start.html", person)
