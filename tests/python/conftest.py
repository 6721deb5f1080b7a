"""Fixtures shared by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.home import CHECKOUT


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--histories",
        type=int,
        help="histories that test_histories.py tries; without it 200, the same ones each time",
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real rows beside the checkout, which the product does not ship."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real rows are absent: no folder shared/data beside the checkout")
    return folder
