"""The interface that finds the owner of a bearer token, and its errors."""

from typing import Protocol


class TokenRefusedError(Exception):
    """The token is not valid. The text says why, and never quotes the token."""


class IssuerUnreachableError(Exception):
    """The token cannot be checked now; trying again later may help."""


class Verifier(Protocol):
    """Finds the owners of tokens."""

    async def owner(self, token: str) -> str:
        """The owner of the token. Raises `TokenRefusedError` or `IssuerUnreachableError`."""
        ...
