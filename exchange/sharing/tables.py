"""Grants: an owner lets a reader see paths of a statement."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime


class GrantRow(SQLModel, table=True):
    """A grant. `paths` are joined by spaces; `recorded_by` says who clicked, since no key signed it."""

    __tablename__ = "exchange_grant"

    owner: str = Field(max_length=512)
    reader: str = Field(max_length=512, primary_key=True)
    leaf_hash: str = Field(max_length=64, primary_key=True)
    paths: str = Field(sa_type=Text)
    purpose: str = Field(max_length=32)
    recorded_by: str = Field(max_length=600)
    recorded_at: datetime = Field(sa_type=UtcTime)
