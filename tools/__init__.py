"""The tools that are shipped with the agent. They import nothing from it and work without it."""

from langchain_core.tools import BaseTool

from .arithmetic import math
from .number import number
from .read import read
from .resources import Reader, Resources
from .search import search

__all__ = ["SHIPPED", "Reader", "Resources", "math"]

SHIPPED: tuple[BaseTool, ...] = (search, number, read)
