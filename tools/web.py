"""Searches the web with Tavily, for `search`."""

import asyncio
from importlib import import_module
from typing import Any

from langchain_core.tools import ToolException

TIMEOUT = 30.0
"""Seconds that Tavily may take to answer."""
MAX_RESULTS = 3


class TooManyRequestsError(ConnectionError):
    """Tavily asks to try again later (HTTP 429): a transient error."""

    status_code = 429


async def web_search(query: str, *, key: str, base_url: str | None) -> str:
    """Return the results for `query`: title, address and content of each page, best first.

    Raises ToolException for permanent errors. Transient errors keep their type: a TimeoutError, an
    `httpx.TransportError`, an `httpx.HTTPStatusError` of 5xx, and TooManyRequestsError. No message
    contains the key or Tavily's message, which may contain the key.
    """
    # Imports and certificates are read from disk, which must not happen on a server's event loop.
    tavily = await asyncio.to_thread(import_module, "tavily")
    errors = await asyncio.to_thread(import_module, "tavily.errors")
    httpx = await asyncio.to_thread(import_module, "httpx")
    client = await asyncio.to_thread(tavily.AsyncTavilyClient, api_key=key, api_base_url=base_url)
    async with client:
        try:
            reply = await client.search(query, max_results=MAX_RESULTS, timeout=TIMEOUT)
        except errors.TimeoutError as error:
            raise TimeoutError(f"Tavily did not answer within {TIMEOUT:g} s; try again") from error
        except errors.UsageLimitExceededError as error:
            raise TooManyRequestsError("Tavily asks to wait (HTTP 429); try again later") from error
        except (errors.InvalidAPIKeyError, errors.ForbiddenError):
            raise ToolException(
                "Tavily refused the key, or its quota is used up; check TAVILY_API_KEY"
            ) from None
        except errors.BadRequestError:
            raise ToolException(f"Tavily refused the query {query[:60]!r}; shorten it") from None
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status >= 500:
                raise
            raise ToolException(f"Tavily answered HTTP {status}; check TAVILY_BASE_URL") from None
        except (ValueError, TypeError, AttributeError):
            # tavily-python assumes that every reply with status 200 is a JSON object.
            raise ToolException("Tavily's reply is not valid; check TAVILY_BASE_URL") from None
    return _text(reply, query)


def _text(reply: dict[str, Any], query: str) -> str:
    """Return Tavily's reply as the text that a model reads."""
    pages = reply.get("results")
    parts = [str(reply["answer"])] if reply.get("answer") else []
    for page in pages if isinstance(pages, list) else []:
        if isinstance(page, dict):
            lines = (str(page.get(part) or "").strip() for part in ("title", "url", "content"))
            parts.append("\n".join(filter(None, lines)))
    if not parts:
        raise ToolException(f'nothing found on "{query[:60]}" on the web; use other words')
    return "\n\n".join(parts)
