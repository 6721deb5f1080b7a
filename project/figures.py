"""How much a reader of the SQL models must know: `make figures` prints it for this checkout."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Final

from project.home import CHECKOUT

_MACRO: Final = re.compile(r"\{%-?\s*macro\s+(\w+)\(")
# What Jinja evaluates, comments left out: a call can be nowhere else.
_CODE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_CONDITIONAL: Final = re.compile(r"\bis_incremental\(|\{%-?\s*(?:el)?if\b")


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the SQL models and macros of one checkout; lists name models or macros."""

    lines: dict[str, int]
    """Lines of each model, every line counted."""
    macro_lines: int
    macros: dict[str, list[str]]
    """The macros of this project that each model calls, each once."""
    helpers: list[str]
    """Macros of `macros/incremental` that some model calls."""
    conditional: list[str]
    """Models with `is_incremental()` or an `if` around SQL."""

    @property
    def macro_share(self) -> float:
        """Lines of macros per line of models."""
        return self.macro_lines / sum(self.lines.values())

    @property
    def macros_per_model(self) -> float:
        """Mean number of macros that a model calls."""
        return fmean(map(len, self.macros.values()))


def read_figures(checkout: Path) -> Figures:
    """Count the SQL models and macros below a folder with a dbt project."""
    texts = {p.stem: p.read_text("utf-8") for p in sorted((checkout / "models").rglob("*.sql"))}
    macros = {p: p.read_text("utf-8") for p in sorted((checkout / "macros").rglob("*.sql"))}
    own = {name for text in macros.values() for name in _MACRO.findall(text)}
    incremental = {
        name
        for path, text in macros.items()
        if path.parent.name == "incremental"
        for name in _MACRO.findall(text)
    }
    called = {model: sorted(_calls(text) & own) for model, text in texts.items()}
    return Figures(
        lines={model: len(text.splitlines()) for model, text in texts.items()},
        macro_lines=sum(len(text.splitlines()) for text in macros.values()),
        macros=called,
        helpers=sorted(incremental & {name for names in called.values() for name in names}),
        conditional=[m for m, text in texts.items() if _CONDITIONAL.search(text)],
    )


def _calls(sql: str) -> set[str]:
    code = " ".join(_CODE.findall(_COMMENT.sub("", sql)))
    return set(re.findall(r"\b(\w+)\(", code))


def page(figures: Figures) -> str:
    """Return the figures as text, one per line."""
    lengths = sorted(figures.lines.values())
    most = max(figures.macros, key=lambda model: len(figures.macros[model]))
    return "\n".join(
        f"{name:<44}{value}"
        for name, value in (
            ("models", len(lengths)),
            ("lines of a model, median / max", f"{median(lengths):g} / {lengths[-1]}"),
            ("models with is_incremental() or if", _listed(figures.conditional)),
            ("helpers of macros/incremental in models", _listed(figures.helpers)),
            ("own macros of a model, mean", f"{figures.macros_per_model:.2f}"),
            ("own macros of a model, max", f"{len(figures.macros[most])} ({most})"),
            (
                "lines of macros / lines of models",
                f"{figures.macro_lines} / {sum(lengths)} = {figures.macro_share:.2f}",
            ),
        )
    )


def _listed(names: list[str]) -> str:
    return f"{len(names)}{': ' if names else ''}{', '.join(names)}"


if __name__ == "__main__":
    print(page(read_figures(Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT)))
