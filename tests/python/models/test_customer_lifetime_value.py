"""The lifetime value model, compared with published CDNOW results and simulations."""

import importlib.util
import logging
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from numpy.typing import NDArray
from scipy.special import hyp2f1

from project.home import CHECKOUT

MODEL = CHECKOUT / "models/intermediate/customer/customer_lifetime_value.py"
# Fader, Hardie, Lee (2005), table 2, in weeks; Fader, Hardie (2013), section 4.
CDNOW_BETA_GEO = (0.243, 4.414, 0.793, 2.426)
CDNOW_GAMMA_GAMMA = (6.25, 3.74, 15.45)

PREDICTIONS = ["probability_alive", "expected_orders_90d", "expected_revenue_90d"]

Floats = NDArray[np.float64]

# Users of dbt should see only the model's own warnings.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def load_model() -> Any:
    spec = importlib.util.spec_from_file_location("customer_lifetime_value", MODEL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clv = load_model()


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    # By path, because importing lifetimes needs an older pandas.
    package = importlib.util.find_spec("lifetimes")
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    return pd.read_csv(folder / "datasets/cdnow_customers_summary_with_transactions.csv")


def columns(frame: pd.DataFrame) -> list[Floats]:
    return [frame[name].to_numpy(dtype=float) for name in frame.columns]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


class Dbt:
    """The part of dbt that a Python model uses: its relations, and the vars as meta."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, min_repeat_buyers: int) -> None:
        self.config = self
        self.ref = connection.table
        self.meta_get = {"clv_min_repeat_buyers": str(min_repeat_buyers)}.get


def run(
    connection: duckdb.DuckDBPyConnection, buyers: pd.DataFrame, min_repeat_buyers: int = 100
) -> pd.DataFrame:
    """Run the model on buyers, and return its rows sorted by user."""
    connection.register("buyers", buyers)
    connection.execute(
        "create or replace table buyer_purchases as select"
        " user_id::bigint as user_id, frequency::bigint as frequency,"
        " recency_days::bigint as recency_days, age_days::bigint as age_days,"
        " monetary_value::decimal(18, 2) as monetary_value, date '2019-11-30' as as_of_date,"
        " cast(7 as bigint) as _batch_id from buyers"
    )
    connection.execute("drop table if exists result")
    result = clv.model(Dbt(connection, min_repeat_buyers), connection)
    result.order("user_id").create("result")
    frame: pd.DataFrame = connection.table("result").df()
    return frame


def simulate(
    beta_geo: tuple[float, ...], age: Floats, until: Floats, seed: int
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Simulate the model's process; returns x, t_x, later orders and alive at `age` by customer."""
    r, alpha, a, b = beta_geo
    random = np.random.default_rng(seed)
    rate = random.gamma(r, 1 / alpha, len(age))
    dropout = random.beta(a, b, len(age))
    x, t_x, later, clock = (np.zeros(len(age)) for _ in range(4))
    active = np.ones(len(age), dtype=bool)
    alive_at_age = active.copy()
    while active.any():
        clock = clock + random.exponential(1 / rate)
        active &= clock <= until
        seen = active & (clock <= age)
        x += seen
        t_x = np.where(seen, clock, t_x)
        later += active & (clock > age)
        leaves = active & (random.random(len(age)) < dropout)
        alive_at_age &= ~(leaves & (clock <= age))
        active &= ~leaves
    return x, t_x, later, alive_at_age


def test_beta_geo_fit_gives_the_published_cdnow_parameters(cdnow: pd.DataFrame) -> None:
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(n=("ID", "size"))
    theta = clv.fit_beta_geo(*columns(counts))
    assert theta == pytest.approx(CDNOW_BETA_GEO, rel=0.01)
    likelihood = clv.beta_geo_log_likelihood(theta, *columns(counts))
    assert likelihood == pytest.approx(-9582.4, abs=0.05)


def test_gamma_gamma_fit_gives_the_published_cdnow_parameters(cdnow: pd.DataFrame) -> None:
    repeat = cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]]
    assert clv.fit_gamma_gamma(*columns(repeat)) == pytest.approx(CDNOW_GAMMA_GAMMA, rel=0.01)


def test_the_unit_of_time_and_of_money_does_not_matter(cdnow: pd.DataFrame) -> None:
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    n = np.ones(len(x))
    weeks, days = clv.fit_beta_geo(x, t_x, age, n), clv.fit_beta_geo(x, t_x * 7, age * 7, n)
    assert days == pytest.approx(weeks * [1, 7, 1, 1], rel=1e-4)
    x, value, n = columns(cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]])
    dollars, cents = clv.fit_gamma_gamma(x, value, n), clv.fit_gamma_gamma(x, value * 100, n)
    assert cents == pytest.approx(dollars * [1, 1, 100], rel=1e-4)


def test_collapsed_counts_have_the_likelihood_of_single_customers(cdnow: pd.DataFrame) -> None:
    theta = (0.4, 6.0, 0.6, 3.0)
    single = clv.beta_geo_log_likelihood(theta, *columns(cdnow.assign(n=1)[["x", "t_x", "T", "n"]]))
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(n=("ID", "size"))
    assert len(counts) < len(cdnow)
    collapsed = clv.beta_geo_log_likelihood(theta, *columns(counts))
    assert collapsed == pytest.approx(single, rel=1e-12)


def test_expected_orders_of_the_published_example() -> None:
    # The authors' note on BG/NBD in Excel: customer 1 of CDNOW, next 39 weeks.
    customer = (np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert clv.expected_orders(CDNOW_BETA_GEO, 39.0, *customer) == pytest.approx([1.226], abs=5e-4)


@pytest.mark.parametrize("theta", [CDNOW_BETA_GEO, (0.3, 5.0, 0.01, 2.0)])
def test_expected_orders_equal_the_closed_form_of_the_paper(
    theta: tuple[float, ...], cdnow: pd.DataFrame
) -> None:
    r, alpha, a, b = theta
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    z, base = 39 / (alpha + age + 39), (alpha + age) / (alpha + age + 39)
    numerator = 1 - base ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    odds = np.where(x > 0, a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x), 0)
    expected = (a + b + x - 1) / (a - 1) * numerator / (1 + odds)
    assert clv.expected_orders(theta, 39.0, x, t_x, age) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("theta", list(product((0.05, 1.5, 50.0), repeat=4)))
def test_scores_are_finite_and_ordered_for_any_buyer(theta: tuple[float, ...]) -> None:
    buyers = product((0.0, 1.0, 7.0, 2000.0), (0.0, 1.0, 400.0), (0.0, 3.0, 400.0))
    x, t_x, idle = np.array(list(buyers)).T
    now, later = (x, t_x, t_x + idle), (x, t_x, t_x + idle + 30)
    alive_now, alive_later = (np.exp(clv.log_probability_alive(theta, *b)) for b in (now, later))
    assert np.all((alive_later >= 0) & (alive_later <= alive_now) & (alive_now <= 1))
    assert np.all(alive_now[x == 0] == 1)
    month, quarter = (clv.expected_orders(theta, t, *now) for t in (30.0, 90.0))
    assert np.all((month >= 0) & (month <= quarter) & np.isfinite(quarter))


def test_expected_orders_are_finite_where_the_closed_form_divides_by_zero() -> None:
    customer = (np.array([3.0]), np.array([20.0]), np.array([30.0]))
    at_one, beside = (clv.expected_orders((0.5, 9, a, 2), 90.0, *customer) for a in (1, 1 + 1e-7))
    assert at_one == pytest.approx(beside, rel=1e-6)


def test_fit_and_scores_agree_with_simulated_customers() -> None:
    truth = (0.8, 12.0, 0.9, 2.5)
    age = np.random.default_rng(1).uniform(30, 150, 10_000)
    x, t_x, later, alive = simulate(truth, age, age + 90, seed=2)
    theta = clv.fit_beta_geo(x, t_x, age, np.ones(len(x)))
    assert theta == pytest.approx(truth, rel=0.15)
    orders = clv.expected_orders(theta, 90.0, x, t_x, age)
    probability = np.exp(clv.log_probability_alive(theta, x, t_x, age))
    for chosen in (x == 0, (x > 0) & (x <= 2), x > 2, probability < 0.5):
        assert orders[chosen].mean() == pytest.approx(later[chosen].mean(), rel=0.06)
        assert probability[chosen].mean() == pytest.approx(alive[chosen].mean(), abs=0.02)


def test_a_likelihood_without_maximum_is_an_error() -> None:
    one, same = np.ones(5), np.full(5, 10.0)
    with pytest.raises(clv.FitError, match="beta_geo"):
        clv.fit_beta_geo(one, one * 5, same, one * 100)
    with pytest.raises(clv.FitError, match="gamma_gamma"):
        clv.fit_gamma_gamma(np.arange(1.0, 6.0), same, one * 100)


def test_a_likelihood_that_does_not_identify_parameters_is_an_error() -> None:
    def flat(theta: Floats, n: Floats) -> float:
        return 0.0

    with pytest.raises(clv.FitError, match="flat has no maximum"):
        clv.maximize(flat, (1.0, 2.0), np.ones(5))


def test_order_values_without_a_finite_mean_are_an_error() -> None:
    random = np.random.default_rng(5)
    x = random.integers(1, 6, 4000).astype(float)
    value = random.gamma(4 * x) / x / random.gamma(0.7, 1, len(x))
    with pytest.raises(clv.FitError, match="infinite"):
        clv.fit_gamma_gamma(x, value, np.ones(len(x)))


FEW = pd.DataFrame(
    [(7, 2, 9, 20, 20.01), (8, 0, 0, 17, 0)],
    columns=["user_id", "frequency", "recency_days", "age_days", "monetary_value"],
)


def buyers_of(cdnow: pd.DataFrame) -> pd.DataFrame:
    """Return the CDNOW summary as buyer_purchases, with weeks of seven days."""
    return pd.DataFrame(
        {
            "user_id": cdnow["ID"],
            "frequency": cdnow["x"],
            "recency_days": (cdnow["t_x"] * 7).round(),
            "age_days": (cdnow["T"] * 7).round(),
            "monetary_value": cdnow["zbar"],
        }
    )


def test_known_columns_of_a_buyer_pass_through(connection: duckdb.DuckDBPyConnection) -> None:
    known = run(connection, FEW)
    pd.testing.assert_frame_equal(known[list(FEW)].astype(float), FEW.astype(float))
    assert set(known["as_of_date"].astype(str)) == {"2019-11-30"}
    assert set(known["_batch_id"]) == {7}


def test_too_few_repeat_buyers_give_a_warning_and_nulls(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, FEW)
    assert "1 repeat buyers < clv_min_repeat_buyers" in caplog.text
    assert len(result) == 2
    assert result[PREDICTIONS].isna().all(axis=None)


def test_missing_predictions_are_null_on_an_engine_that_keeps_nan(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    class SparkLike:
        def createDataFrame(self, frame: pd.DataFrame) -> duckdb.DuckDBPyRelation:
            table = pa.table({name: frame[name].to_numpy() for name in frame})
            return connection.from_arrow(table)

    run(connection, FEW)
    result = clv.model(Dbt(connection, 100), SparkLike())
    assert [row[-3:] for row in result.fetchall()] == [(None, None, None)] * 2


def test_a_failed_fit_gives_a_warning_and_nulls(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, FEW, min_repeat_buyers=0)
    assert "beta_geo_log_likelihood has no maximum" in caplog.text
    assert result[PREDICTIONS].isna().all(axis=None)


def test_repeat_orders_worth_nothing_are_too_few_repeat_buyers(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run(connection, buyers_of(cdnow.assign(zbar=0)), min_repeat_buyers=0)
    assert "0 repeat buyers" in caplog.text


def test_equal_order_values_leave_only_revenue_null(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, buyers_of(cdnow.assign(zbar=cdnow["zbar"].clip(upper=1))))
    assert "gamma_gamma_log_likelihood has no maximum" in caplog.text
    assert result["expected_revenue_90d"].isna().all()
    assert result["expected_orders_90d"].notna().all()


def test_no_buyers_give_an_empty_table_of_the_documented_types(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert run(connection, FEW.head(0)).empty
    empty = connection.table("result")
    described = yaml.safe_load(MODEL.with_suffix(".yml").read_text())["models"][0]["columns"]
    assert [(c["name"], c["data_type"]) for c in described] == [
        (name, str(kind).lower()) for name, kind in zip(empty.columns, empty.types, strict=True)
    ]
    run(connection, FEW)
    assert connection.table("result").types == empty.types


def run_and_watch(buyers: pd.DataFrame) -> tuple[pd.DataFrame, list[Floats]]:
    """Return the model's result, and the engine's input to the Gamma-Gamma fit."""
    handed: list[list[Floats]] = []
    fit = clv.fit_gamma_gamma

    def watched(*data: Floats) -> Any:
        handed.append(list(data))
        return fit(*data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clv, "fit_gamma_gamma", watched)
        with duckdb.connect() as connection:
            result = run(connection, buyers)
    [value_bins] = handed
    return result, value_bins


@pytest.fixture(scope="module")
def scored_cdnow(cdnow: pd.DataFrame) -> tuple[pd.DataFrame, list[Floats]]:
    return run_and_watch(buyers_of(cdnow))


def test_cdnow_through_the_engine_gives_the_published_predictions(
    cdnow: pd.DataFrame, scored_cdnow: tuple[pd.DataFrame, list[Floats]]
) -> None:
    frame = scored_cdnow[0][PREDICTIONS].astype(float)
    x, t_x, age, value = columns(cdnow[["x", "t_x", "T", "zbar"]])
    alive = np.exp(clv.log_probability_alive(CDNOW_BETA_GEO, x, t_x, age))
    orders = clv.expected_orders(CDNOW_BETA_GEO, 90 / 7, x, t_x, age)
    p, q, v = CDNOW_GAMMA_GAMMA
    revenue = orders * p * (v + x * value) / (p * x + q - 1)
    assert frame["probability_alive"].to_numpy() == pytest.approx(alive, abs=0.003)
    assert frame["expected_orders_90d"].to_numpy() == pytest.approx(orders, rel=0.01, abs=1e-5)
    assert frame["expected_revenue_90d"].to_numpy() == pytest.approx(revenue, rel=0.015, abs=0.01)


def test_bins_of_order_value_cover_all_repeat_buyers_and_keep_precision(
    cdnow: pd.DataFrame, scored_cdnow: tuple[pd.DataFrame, list[Floats]]
) -> None:
    repeat = cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]]
    x, value, n = scored_cdnow[1]
    assert len(n) < n.sum() == len(repeat)
    exact = clv.fit_gamma_gamma(*columns(repeat))
    assert clv.fit_gamma_gamma(x, value, n) == pytest.approx(exact, rel=1e-4)


def test_the_order_of_rows_does_not_change_a_digit(
    cdnow: pd.DataFrame, scored_cdnow: tuple[pd.DataFrame, list[Floats]]
) -> None:
    result, value_bins = scored_cdnow
    assert result.notna().all(axis=None)
    shuffled, same_bins = run_and_watch(buyers_of(cdnow).sample(frac=1, random_state=4))
    pd.testing.assert_frame_equal(result, shuffled, check_exact=True)
    np.testing.assert_array_equal(value_bins, same_bins)
