"""Opens a model as a run does."""

from typing import Any

from langchain_core.runnables import Runnable

from llm_compiler.models.given import model_of
from llm_compiler.models.model import Model
from llm_compiler.models.providers import OPEN_MODELS


async def open_model(model: Runnable[Any, Any] | str) -> Model:
    """A model by its name; a Runnable is used as it is."""
    return await OPEN_MODELS.get(model) if isinstance(model, str) else model_of(model)
