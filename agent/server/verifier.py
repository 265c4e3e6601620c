"""What tells whose a bearer token is, and how it says no."""

from typing import Protocol


class TokenRefusedError(Exception):
    """The token is not good. The text says why, and never quotes it."""


class IssuerUnreachableError(Exception):
    """Whether the token is good cannot be known now; asking again may help."""


class Verifier(Protocol):
    """Knows the owners of tokens."""

    async def owner(self, token: str) -> str:
        """Whose the token is. Raises `TokenRefusedError` or `IssuerUnreachableError`."""
        ...
