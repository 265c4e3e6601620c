"""What the server's PostgreSQL holds: stored rounds and outcomes, and how often runs started.

An outcome is stored once it is committed there together with the checkpoint that it was written
for; only then has its call *finished*, and must not start again, whatever dies.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import psycopg
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from tests.workers.book import Line

_WRITES = """
SELECT w.thread_id, w.channel, w.type, w.blob
FROM checkpoint_writes w JOIN checkpoints c USING (thread_id, checkpoint_ns, checkpoint_id)
WHERE w.channel IN ('llm_compiler', 'round') AND w.thread_id = ANY(%s)
"""
_ROUNDS = """
SELECT DISTINCT thread_id, (checkpoint->'channel_values'->>'round')::int FROM checkpoints
WHERE (checkpoint->'channel_values'->>'round')::int > 0 AND thread_id = ANY(%s)
"""
_ATTEMPTS = "SELECT r.thread_id::text, c.count FROM runs r JOIN retry_counters c USING (run_id)"
_ENDED = "SELECT max(updated_at) FROM runs WHERE status = 'success'"


def lines(address: str, turns: Mapping[str, int]) -> list[Line]:
    """What is kept now, as lines of a ledger; `turns` has each thread's seed."""
    serde = JsonPlusSerializer()
    found: list[Line] = [
        {"run": seed, "what": "checkpoint", "checkpoint": "kept"} for seed in turns.values()
    ]

    def add(thread: str, **line: Any) -> None:
        found.append({"run": turns[thread], "checkpoint": "kept", **line})

    rounds: dict[str, set[int]] = defaultdict(set)
    journaled: list[tuple[str, dict[str, Any]]] = []
    with psycopg.connect(address) as connection:
        for thread, channel, kind, blob in connection.execute(_WRITES, [[*turns]]):
            value = serde.loads_typed((kind, blob))
            if channel == "round":
                add(thread, what="saved", round=value)
                rounds[thread].add(value)
            elif isinstance(value, dict) and "outcome" in value:
                journaled.append((thread, value))
        for thread, round in connection.execute(_ROUNDS, [[*turns]]):
            add(thread, what="saved", round=round)
            rounds[thread].add(round)
    # An outcome is found again if its plan is kept, and plans are written one after another.
    plans: dict[str, list[str]] = defaultdict(list)
    for thread, entry in sorted(journaled, key=lambda it: int(it[1]["no"])):
        plan = str(entry["key"]).partition("-")[0]
        if plan not in plans[thread]:
            plans[thread].append(plan)
        if plans[thread].index(plan) < len(rounds[thread]):
            add(thread, what="journaled", id=entry["outcome"]["id"])
    return found


def attempts(address: str) -> dict[str, int]:
    """By thread: how often a worker has begun its run."""
    with psycopg.connect(address) as connection:
        return dict(connection.execute(_ATTEMPTS).fetchall())


def last_end(address: str) -> float:
    """When the last run ended, in epoch seconds."""
    with psycopg.connect(address) as connection:
        row = connection.execute(_ENDED).fetchone()
    assert row is not None
    return float(row[0].timestamp())
