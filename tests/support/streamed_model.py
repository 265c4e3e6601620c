"""The part that all our stand-ins for chat models share."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatResult


class StreamedModel(BaseChatModel):
    """A chat model that can only be streamed; what it writes is its subclass's `_astream`."""

    @property
    def _llm_type(self) -> str:
        return type(self).__name__.removesuffix("Model").lower()

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError
