"""Requests: what organisations call their products and parts, who asks whom for which data, and the answers, which are grants."""

from exchange.requests.answering import Answers
from exchange.requests.asking import Ask, Requests, Told
from exchange.requests.board import Board, Boards
from exchange.requests.catalogue import Catalogue, PartMapping, Product, ProductKind, StatedMapping
from exchange.requests.tables import AnswerRow, PartRow, ProductRow, RequestRow, State, Wanted
from exchange.requests.views import Answer, DataRequest, Named

__all__ = [
    "Answer",
    "AnswerRow",
    "Answers",
    "Ask",
    "Board",
    "Boards",
    "Catalogue",
    "DataRequest",
    "Named",
    "PartMapping",
    "PartRow",
    "Product",
    "ProductKind",
    "ProductRow",
    "RequestRow",
    "Requests",
    "State",
    "StatedMapping",
    "Told",
    "Wanted",
]
