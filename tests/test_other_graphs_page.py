"""The examples of docs/other-graphs.md run."""

import re
from pathlib import Path

import pytest

from tests.bench.model_server import ModelServer, Reply, by_role
from tests.support.agents import calling

pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent:DeprecationWarning")

PAGE = (Path(__file__).parents[1] / "docs" / "other-graphs.md").read_text(encoding="utf-8")
EXAMPLES = {
    section.partition("\n")[0]: code
    for section in PAGE.split("\n## ")
    for code in re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
}
PLAN = "answer(f\"{population('Paris') - population('Lyon')} more.\")"
OTHERS: dict[str, list[Reply | str]] = {
    "As a node": [],
    "As a tool": [calling(("figures", {"question": "Paris and Lyon?"})), "Paris is larger."],
    "Behind a supervisor, and in a swarm": [calling(("transfer_to_figures", {})), "1528000 more."],
}
PRINTED = ["Cities 1528000 more.", "Paris is larger.", "1528000 more."]


@pytest.mark.parametrize(("heading", "printed"), [*zip(EXAMPLES, PRINTED, strict=True)])
def test_example_runs(
    heading: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = by_role({"write a plan": PLAN}, OTHERS[heading])
    with ModelServer(script, first_token=0, rate=None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        exec(compile(EXAMPLES[heading], "other-graphs.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out == f"{printed}\n"
