"""The guided tour runs on gold, and its notebook for Databricks asks the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from notebooks.databricks import NOTEBOOK, TOUR, notebook
from support.built_gold import built_gold


def test_the_tour_answers_from_gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = built_gold(tmp_path / "home")
    monkeypatch.setenv("ECOMMERCE_HOME", str(home.folder))
    from notebooks.tour import app

    outputs = app.run()[0]
    answers = [output for output in outputs if isinstance(output, pd.DataFrame)]
    assert len(answers) == TOUR.read_text(encoding="utf-8").count("    ask(")
    assert all(len(answer) for answer in answers)
    [(revenue, users)] = home.query(
        "select (select sum(revenue) from gold_layer.daily_sales_summary),"
        " (select count(*) from gold_layer.customer_metrics)"
    )
    [segments] = [answer for answer in answers if "user_segment" in answer]
    assert segments["users"].sum() == users
    assert Decimal(str(segments["revenue"].sum())).quantize(Decimal("0.01")) == revenue


def test_the_notebook_for_databricks_is_written_from_the_tour() -> None:
    tour, written = (path.read_text(encoding="utf-8") for path in (TOUR, NOTEBOOK))
    assert written == notebook(tour), "run .venv/bin/python -m notebooks.databricks"
    assert written.startswith("# Databricks notebook source\n")
    assert written.count("# MAGIC %sql") == tour.count("    ask(") > 0
    assert written.count("# MAGIC %md") == tour.count("    mo.md(") + 1
