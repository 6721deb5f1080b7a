"""The lifetime value model: CDNOW against another implementation and what came, simulations."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from datetime import date
from importlib.metadata import distribution
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from numpy.typing import NDArray
from scipy.special import hyp2f1

from generator.orders import draw_orders
from generator.plan import Plan
from project.home import CHECKOUT
from warehouse.engine import Engine

MODEL = CHECKOUT / "models/intermediate/customer/customer_lifetime_value.py"
# Fader, Hardie (2013), section 4.
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


# By path, because lifetimes.datasets needs an older setuptools.
DATASETS = Path(str(distribution("lifetimes").locate_file("lifetimes/datasets")))


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """Summary of the first 39 weeks, in weeks."""
    return pd.read_csv(DATASETS / "cdnow_customers_summary_with_transactions.csv")


@pytest.fixture(scope="module")
def cdnow_orders() -> pd.DataFrame:
    """Customer and day of every order of the same customers, 1997-01-01 to 1998-06-30."""
    names = ["ID_of_all", "ID", "day", "cds", "dollars"]
    orders = pd.read_csv(DATASETS / "CDNOW_sample.txt", sep=r"\s+", header=None, names=names)
    orders["day"] = pd.to_datetime(orders["day"], format="%Y%m%d")
    return orders.groupby(["ID", "day"], as_index=False).agg(revenue=("dollars", "sum"))


def fit_other(x: Floats, t_x: Floats, age: Floats) -> Any:
    """Return the model as another implementation fits it."""
    # All processes of a session import this file, and only one should pay for the other model.
    from lifetimes import ModifiedBetaGeoFitter

    fitter = ModifiedBetaGeoFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fitter.fit(x, t_x, age, tol=1e-8)


@pytest.fixture(scope="module")
def other(cdnow: pd.DataFrame) -> Any:
    return fit_other(*columns(cdnow[["x", "t_x", "T"]]))


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
    mbg_nbd: tuple[float, ...], age: Floats, until: Floats, seed: int
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Simulate the model's process; returns x, t_x, later orders and alive at `age` by customer."""
    r, alpha, a, b = mbg_nbd
    random = np.random.default_rng(seed)
    rate = random.gamma(r, 1 / alpha, len(age))
    dropout = random.beta(a, b, len(age))
    x, t_x, later, clock = (np.zeros(len(age)) for _ in range(4))
    # A customer may leave at the first order, too.
    active = random.random(len(age)) >= dropout
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


def test_fit_gives_the_cdnow_parameters_of_another_implementation(
    cdnow: pd.DataFrame, other: Any
) -> None:
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(n=("ID", "size"))
    theta = clv.fit_mbg_nbd(*columns(counts))
    assert theta == pytest.approx(other.params_.to_numpy(), rel=1e-4)
    customers = (*columns(cdnow[["x", "t_x", "T"]]), np.ones(len(cdnow)))
    cost = other._negative_log_likelihood(np.log(theta), *customers, 0.0)
    likelihood = clv.mbg_nbd_log_likelihood(theta, *columns(counts))
    assert likelihood == pytest.approx(-cost * len(cdnow), rel=1e-9)


def test_scores_are_those_of_another_implementation(cdnow: pd.DataFrame, other: Any) -> None:
    customers = columns(cdnow[["x", "t_x", "T"]])
    theta = other.params_.to_numpy()
    alive = np.exp(clv.log_probability_alive(theta, *customers))
    assert alive == pytest.approx(other.conditional_probability_alive(*customers), rel=1e-12)
    orders = other.conditional_expected_number_of_purchases_up_to_time(39, *customers)
    assert clv.expected_orders(theta, 39.0, *customers) == pytest.approx(orders, rel=1e-9)


def test_gamma_gamma_fit_gives_the_published_cdnow_parameters(cdnow: pd.DataFrame) -> None:
    repeat = cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]]
    assert clv.fit_gamma_gamma(*columns(repeat)) == pytest.approx(CDNOW_GAMMA_GAMMA, rel=0.01)


def test_the_unit_of_time_and_of_money_does_not_matter(cdnow: pd.DataFrame) -> None:
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    n = np.ones(len(x))
    weeks, days = clv.fit_mbg_nbd(x, t_x, age, n), clv.fit_mbg_nbd(x, t_x * 7, age * 7, n)
    assert days == pytest.approx(weeks * [1, 7, 1, 1], rel=1e-4)
    x, value, n = columns(cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]])
    dollars, cents = clv.fit_gamma_gamma(x, value, n), clv.fit_gamma_gamma(x, value * 100, n)
    assert cents == pytest.approx(dollars * [1, 1, 100], rel=1e-4)


def test_collapsed_counts_have_the_likelihood_of_single_customers(cdnow: pd.DataFrame) -> None:
    theta = (0.4, 6.0, 0.6, 3.0)
    single = clv.mbg_nbd_log_likelihood(theta, *columns(cdnow.assign(n=1)[["x", "t_x", "T", "n"]]))
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(n=("ID", "size"))
    assert len(counts) < len(cdnow)
    collapsed = clv.mbg_nbd_log_likelihood(theta, *columns(counts))
    assert collapsed == pytest.approx(single, rel=1e-12)


@pytest.mark.parametrize("theta", [(0.5, 6.2, 0.9, 1.6), (0.3, 5.0, 0.01, 2.0)])
def test_expected_orders_equal_the_closed_form_of_the_paper(
    theta: tuple[float, ...], cdnow: pd.DataFrame
) -> None:
    r, alpha, a, b = theta
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    z, base = 39 / (alpha + age + 39), (alpha + age) / (alpha + age + 39)
    numerator = 1 - base ** (r + x) * hyp2f1(r + x, b + x + 1, a + b + x, z)
    odds = a / (b + x) * ((alpha + age) / (alpha + t_x)) ** (r + x)
    expected = (a + b + x) / (a - 1) * numerator / (1 + odds)
    assert clv.expected_orders(theta, 39.0, x, t_x, age) == pytest.approx(expected, rel=1e-9)


def test_a_buyer_of_one_day_may_have_left_and_more_likely_so_with_each_day() -> None:
    r, alpha, a, b = 0.5, 6.0, 1.0, 3.0
    age = np.arange(0.0, 400.0)
    alive = np.exp(clv.log_probability_alive((r, alpha, a, b), 0 * age, 0 * age, age))
    assert alive[0] == pytest.approx(b / (a + b))
    assert np.all(np.diff(alive) < 0)


@pytest.mark.parametrize("theta", list(product((0.05, 1.5, 50.0), repeat=4)))
def test_scores_are_finite_and_ordered_for_any_buyer(theta: tuple[float, ...]) -> None:
    buyers = product((0.0, 1.0, 7.0, 2000.0), (0.0, 1.0, 400.0), (0.0, 3.0, 400.0))
    x, t_x, idle = np.array(list(buyers)).T
    now, later = (x, t_x, t_x + idle), (x, t_x, t_x + idle + 30)
    alive_now, alive_later = (np.exp(clv.log_probability_alive(theta, *b)) for b in (now, later))
    assert np.all((alive_later >= 0) & (alive_later <= alive_now) & (alive_now <= 1))
    aged = (idle > 0) & (alive_now > 1e-9)
    assert np.all(alive_now[aged] < 1)
    assert np.all(alive_later[alive_now > 1e-9] < alive_now[alive_now > 1e-9])
    month, quarter = (clv.expected_orders(theta, t, *now) for t in (30.0, 90.0))
    assert np.all((month >= 0) & (month <= quarter) & np.isfinite(quarter))


def test_expected_orders_are_finite_where_the_closed_form_divides_by_zero() -> None:
    customer = (np.array([3.0]), np.array([20.0]), np.array([30.0]))
    at_one, beside = (clv.expected_orders((0.5, 9, a, 2), 90.0, *customer) for a in (1, 1 + 1e-7))
    assert at_one == pytest.approx(beside, rel=1e-6)


def test_fit_and_scores_agree_with_simulated_customers() -> None:
    truth = (0.8, 12.0, 0.9, 2.5)
    age = np.random.default_rng(1).integers(30, 150, 20_000).astype(float)
    x, t_x, later, alive = simulate(truth, age, age + 90, seed=2)
    theta = clv.fit_mbg_nbd(x, t_x, age, np.ones(len(x)))
    assert theta == pytest.approx(truth, rel=0.15)
    orders = clv.expected_orders(truth, 90.0, x, t_x, age)
    probability = np.exp(clv.log_probability_alive(truth, x, t_x, age))
    for chosen in (x == 0, (x > 0) & (x <= 2), x > 2, probability < 0.5):
        assert orders[chosen].mean() == pytest.approx(later[chosen].mean(), rel=0.06)
        assert probability[chosen].mean() == pytest.approx(alive[chosen].mean(), abs=0.02)


def test_a_likelihood_without_maximum_is_an_error() -> None:
    one, same = np.ones(5), np.full(5, 10.0)
    with pytest.raises(clv.FitError, match="mbg_nbd"):
        clv.fit_mbg_nbd(one, one * 5, same, one * 100)
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


def buyers_at(orders: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return buyer_purchases of the orders up to a day."""
    known = orders[orders["day"] <= as_of].sort_values(["ID", "day"])
    by_buyer = known.groupby("ID")
    first, last = by_buyer["day"].min(), by_buyer["day"].max()
    repeat = known[by_buyer.cumcount() > 0].groupby("ID")["revenue"].mean()
    return pd.DataFrame(
        {
            "user_id": first.index,
            "frequency": by_buyer.size() - 1,
            "recency_days": (last - first).dt.days,
            "age_days": (as_of - first).dt.days,
            "monetary_value": repeat.reindex(first.index).fillna(0).round(2),
        }
    )


# Ends of months; all customers are new ones of the first three.
@pytest.mark.parametrize(
    ("as_of", "tolerance"),
    [
        *((month_end, 0.15) for month_end in ("1997-06-30", "1997-12-31", "1998-02-28")),
        # The split of the literature, at 39 weeks: no model foresees the weeks before Christmas.
        ("1997-09-30", 0.2),
    ],
)
def test_orders_of_the_90_days_after_are_those_predicted(
    as_of: str, tolerance: float, cdnow_orders: pd.DataFrame, connection: duckdb.DuckDBPyConnection
) -> None:
    now = pd.Timestamp(as_of)
    result = run(connection, buyers_at(cdnow_orders, now))
    later = (cdnow_orders["day"] > now) & (cdnow_orders["day"] <= now + pd.Timedelta(days=90))
    orders = cdnow_orders[later].groupby("ID").size()
    known = orders[orders.index.isin(result["user_id"])]
    assert result["expected_orders_90d"].sum() == pytest.approx(known.sum(), rel=tolerance)


def test_orders_of_the_half_year_after_the_first_year_are_those_predicted(
    cdnow_orders: pd.DataFrame,
) -> None:
    end_of_1997 = pd.Timestamp("1997-12-31")
    buyers = buyers_at(cdnow_orders, end_of_1997)
    _, x, t_x, age, _ = columns(buyers)
    theta = clv.fit_mbg_nbd(x, t_x, age, np.ones(len(x)))
    orders = clv.expected_orders(theta, 181.0, x, t_x, age)
    later = cdnow_orders.loc[cdnow_orders["day"] > end_of_1997, "ID"]
    assert orders.sum() == pytest.approx(len(later), rel=0.15)
    # Not just the sum: those who ordered once, too, to whom BG/NBD gave far too much.
    assert orders[x == 0].sum() == pytest.approx(
        later.isin(buyers["user_id"][x == 0]).sum(), rel=0.2
    )


def test_generated_buyers_are_of_the_kind_that_the_model_describes() -> None:
    plan = Plan(2_000_000, date(2019, 10, 1), 61, 42)
    orders = draw_orders(plan)
    days = np.repeat(pd.date_range("2019-10-01", periods=61), plan.day_orders)
    frame = pd.DataFrame({"ID": orders.buyer, "day": days, "revenue": 1.0})
    now = pd.Timestamp("2019-11-09")
    buyers = buyers_at(frame, now)
    _, x, t_x, age, _ = columns(buyers)
    theta = clv.fit_mbg_nbd(x, t_x, age + clv.HALF_DAY, np.ones(len(x)))
    predicted = clv.expected_orders(theta, 21.0, x, t_x, age + clv.HALF_DAY)
    later = frame.loc[frame["day"] > now, "ID"]
    for chosen in (x >= 0, x == 0, x > 0):
        actual = later.isin(buyers["user_id"][chosen]).sum()
        assert predicted[chosen].sum() == pytest.approx(actual, rel=0.15)


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


@pytest.mark.parametrize(("min_repeat_buyers", "predicted"), [(100, True), (101, False)])
def test_as_many_repeat_buyers_as_the_var_says_are_enough(
    cdnow: pd.DataFrame,
    connection: duckdb.DuckDBPyConnection,
    min_repeat_buyers: int,
    predicted: bool,
) -> None:
    repeat, once = (cdnow[(cdnow["x"] > 0) == again] for again in (True, False))
    paid = repeat[repeat["zbar"] > 0]
    buyers = buyers_of(pd.concat([paid.head(100), once.head(140)]))
    result = run(connection, buyers, min_repeat_buyers)
    assert (result["expected_orders_90d"].notna() == predicted).all()


def test_missing_predictions_are_null_on_an_engine_that_keeps_nan(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    class SparkLike:
        def createDataFrame(self, frame: pd.DataFrame, _: str) -> duckdb.DuckDBPyRelation:
            table = pa.table({name: frame[name].to_numpy() for name in frame})
            return connection.from_arrow(table)

    run(connection, FEW)
    result = clv.model(Dbt(connection, 100), SparkLike())
    assert [row[-3:] for row in result.fetchall()] == [(None, None, None)] * 2


@pytest.mark.warehouse
def test_a_shop_without_buyers_has_no_predictions_on_an_engine_that_infers_types() -> None:
    engine = Engine()
    try:
        buyers = engine.spark.createDataFrame(
            [],
            "user_id bigint, frequency bigint, recency_days bigint, age_days bigint,"
            " monetary_value decimal(18, 2), as_of_date date, _batch_id bigint",
        )
        config = SimpleNamespace(meta_get=lambda _: "100")
        result = clv.model(SimpleNamespace(ref=lambda _: buyers, config=config), engine.spark)
        assert result.columns == [*buyers.columns, *PREDICTIONS]
        assert result.collect() == []
    finally:
        engine.stop()


def test_a_failed_fit_gives_a_warning_and_nulls(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, FEW, min_repeat_buyers=0)
    assert "mbg_nbd_log_likelihood has no maximum" in caplog.text
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


def test_cdnow_through_the_engine_gives_the_predictions_of_another_implementation(
    cdnow: pd.DataFrame, scored_cdnow: tuple[pd.DataFrame, list[Floats]]
) -> None:
    frame = scored_cdnow[0][PREDICTIONS].astype(float)
    _, x, t_x, age, value = columns(buyers_of(cdnow))
    # From the middle of the first day to the end of the as-of date.
    other = fit_other(x, t_x, age + 0.5)
    alive = other.conditional_probability_alive(x, t_x, age + 0.5)
    orders = other.conditional_expected_number_of_purchases_up_to_time(90, x, t_x, age + 0.5)
    p, q, v = CDNOW_GAMMA_GAMMA
    revenue = orders * p * (v + x * value) / (p * x + q - 1)
    assert frame["probability_alive"].to_numpy() == pytest.approx(alive, abs=1e-4)
    assert frame["expected_orders_90d"].to_numpy() == pytest.approx(orders, rel=1e-3, abs=1e-5)
    assert frame["expected_revenue_90d"].to_numpy() == pytest.approx(revenue, rel=0.01, abs=0.01)


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
