"""`search`: the documents folder, the web, or the shipped library.

the run's documents folder, if it has one
└─ else the web, if TAVILY_API_KEY is set
   └─ else the library in tools/library/
"""

import asyncio
import os
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool

from .documents import FolderError, folder_at
from .excerpt import question_of
from .resources import Resources
from .web import web_search

# An editable install consists of links, and links out of a folder are not followed.
LIBRARY = Path(__file__).resolve().parent / "library"


@tool
async def search(query: str, config: RunnableConfig) -> str:
    """Find the facts about one thing.

    The result is text, the best passages first, each under its file's name or its address. That
    nothing is about it is an error.
    """
    query = question_of(query)
    if not query:
        raise ToolException("the query is empty; name the thing to search for")
    documents = Resources.of(config).documents
    key = os.environ.get("TAVILY_API_KEY", "").strip()
    if documents is None and key:
        base_url = os.environ.get("TAVILY_BASE_URL", "").strip()
        return await web_search(query, key=key, base_url=base_url or None)
    return await asyncio.to_thread(_folder_search, documents or LIBRARY, query)


search.metadata = {"readOnlyHint": True, "openWorldHint": True}


def _folder_search(path: Path, query: str) -> str:
    try:
        passages = folder_at(path).search(query)
    except FolderError as error:
        raise ToolException(str(error)) from None
    if not passages:
        searched = "the shipped library" if path == LIBRARY else f"the folder {path.name!r}"
        raise ToolException(f'nothing found on "{query[:60]}": {searched} has no page about it')
    return "\n\n".join(str(passage) for passage in passages)
