"""Streams an answer while it is being written, to all readers of the run's messages.

LangGraph has two streams of messages. `stream_mode="messages"` consists of chunks. The event
protocol (`astream_events(version="v3")`, and `threads.stream` of a server's client) drops chunks;
there a message is a series of events:

    message-start ─► content-block-start ─► content-block-delta … ─► content-block-finish
                                                                      └─► message-finish
"""

import uuid
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langgraph.config import get_config
from langgraph.graph.message import push_message

from llm_compiler.langgraph_private import event_readers


class AnswerStream:
    """A message that is being shown. Its node returns the whole message under the same id."""

    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self._run = uuid.uuid4()
        self.text = ""
        self.began = False
        """Whether it has any text."""
        self._announced = False
        self._readers: list[BaseCallbackHandler] = []
        """The callbacks that read events."""

    def show(self, text: str) -> None:
        """Add text to the message."""
        if not self._announced:
            self._begin()
        self.began = True
        self.text += text
        if self._readers:
            delta = {"type": "text-delta", "text": text}
            self._tell({"event": "content-block-delta", "index": 0, "delta": delta})
        else:
            push_message(AIMessageChunk(content=text, id=self.id), state_key=None)

    def take_back(self) -> None:
        """Begin the text anew: the whole message, which its node returns, replaces what was
        shown."""
        self.text, self.began = "", False

    def end(self, usage: UsageMetadata | None = None) -> None:
        """The message is complete; `usage` is what it has cost, as the last of a stream says it."""
        content = {"type": "text", "text": self.text}
        self._tell({"event": "content-block-finish", "index": 0, "content": content})
        self._tell({"event": "message-finish", **({"usage": usage} if usage else {})})
        if usage and self._announced and not self._readers:
            push_message(
                AIMessageChunk(content="", id=self.id, usage_metadata=usage), state_key=None
            )

    def _begin(self) -> None:
        self._announced = True
        config = get_config()
        self._readers = event_readers(config)
        for reader in self._readers:
            # Tells the reader whose events follow: there is no run of a model here.
            metadata = {**config.get("metadata", {})}
            reader.on_chat_model_start({}, [], run_id=self._run, metadata=metadata)
        # LangGraph recognizes a message that it has already seen by the older name of the id field.
        self._tell({"event": "message-start", "role": "ai", "id": self.id, "message_id": self.id})
        content = {"type": "text", "text": ""}
        self._tell({"event": "content-block-start", "index": 0, "content": content})

    def _tell(self, event: Any) -> None:
        for reader in self._readers:
            reader.on_stream_event(event, run_id=self._run)
