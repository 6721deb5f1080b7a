"""The lifetime value model against the published CDNOW results, simulation and DuckDB."""

import importlib.util
import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.special import hyp2f1

MODEL = Path(__file__).parents[2] / "models/gold/customer_lifetime_value.py"
# Fader, Hardie, Lee (2005), table 2, in weeks; Fader, Hardie (2013), section 4.
CDNOW_BETA_GEO = (0.243, 4.414, 0.793, 2.426)
CDNOW_GAMMA_GAMMA = (6.25, 3.74, 15.45)

Floats = NDArray[np.float64]
Day = tuple[int, date, int, str]


def load_model() -> Any:
    spec = importlib.util.spec_from_file_location("customer_lifetime_value", MODEL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clv = load_model()


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    # By path: importing lifetimes itself needs an older pandas.
    package = importlib.util.find_spec("lifetimes")
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    return pd.read_csv(folder / "datasets/cdnow_customers_summary_with_transactions.csv")


def columns(frame: pd.DataFrame) -> list[Floats]:
    return [frame[name].to_numpy(dtype=float) for name in frame.columns]


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def run(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Day],
    as_of: date | None = None,
    min_repeat_buyers: int = 100,
) -> pd.DataFrame:
    """Pass rows (user, day, purchases, revenue) through the model; sorted by user."""
    connection.execute(
        "create or replace table user_days"
        " (user_id bigint, event_date date, purchases bigint, revenue decimal(18,2))"
    )
    if rows:
        connection.register("rows", pd.DataFrame(rows, columns=list("abcd")))
        connection.execute("insert into user_days select * from rows")
    connection.execute("drop table if exists result")
    days = connection.table("user_days")
    result = clv.lifetime_values(days, connection, as_of, min_repeat_buyers)
    result.order("user_id").create("result")
    frame: pd.DataFrame = connection.table("result").df()
    return frame


def simulate(
    beta_geo: tuple[float, ...], age: Floats, until: Floats, seed: int
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Play the story the model tells; (x, t_x, orders in age..until, alive at age) a customer."""
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
    assert clv.beta_geo_log_likelihood(theta, *columns(counts))[0] == pytest.approx(
        -9582.4, abs=0.05
    )


def test_gamma_gamma_fit_gives_the_published_cdnow_parameters(cdnow: pd.DataFrame) -> None:
    repeat = cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]]
    assert clv.fit_gamma_gamma(*columns(repeat)) == pytest.approx(CDNOW_GAMMA_GAMMA, rel=0.01)


def test_the_unit_of_time_and_of_money_does_not_matter(cdnow: pd.DataFrame) -> None:
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    n = np.ones(len(x))
    weeks, days = clv.fit_beta_geo(x, t_x, age, n), clv.fit_beta_geo(x, t_x * 7, age * 7, n)
    assert days == pytest.approx(weeks * [1, 7, 1, 1], rel=1e-6)
    x, value, n = columns(cdnow[cdnow["x"] > 0].assign(n=1)[["x", "zbar", "n"]])
    dollars, cents = clv.fit_gamma_gamma(x, value, n), clv.fit_gamma_gamma(x, value * 100, n)
    assert cents == pytest.approx(dollars * [1, 1, 100], rel=1e-6)


def test_collapsed_counts_have_the_likelihood_of_the_single_customers(cdnow: pd.DataFrame) -> None:
    theta = (0.4, 6.0, 0.6, 3.0)
    single = clv.beta_geo_log_likelihood(theta, *columns(cdnow.assign(n=1)[["x", "t_x", "T", "n"]]))
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(n=("ID", "size"))
    assert len(counts) < len(cdnow)
    collapsed = clv.beta_geo_log_likelihood(theta, *columns(counts))
    assert collapsed[0] == pytest.approx(single[0], rel=1e-12)
    assert collapsed[1] == pytest.approx(single[1], rel=1e-9)


def slope(likelihood: Any, theta: tuple[float, ...], data: list[Floats]) -> Floats:
    def value(point: Floats) -> float:
        return float(likelihood(point, *data)[0])

    return np.asarray(approx_fprime(np.array(theta), value, 1e-7))


@pytest.mark.parametrize("theta", [(0.3, 4.0, 0.8, 2.5), (5.0, 60.0, 2.5, 0.3)])
def test_beta_geo_gradient_is_the_slope_of_the_likelihood(theta: tuple[float, ...]) -> None:
    data = [np.array(c, dtype=float) for c in ([0, 1, 4], [0, 9, 30], [40, 12, 33], [3, 2, 1])]
    expected = slope(clv.beta_geo_log_likelihood, theta, data)
    assert clv.beta_geo_log_likelihood(theta, *data)[1] == pytest.approx(
        expected, rel=1e-4, abs=1e-5
    )


@pytest.mark.parametrize("theta", [(6.0, 3.5, 15.0), (0.7, 1.2, 300.0)])
def test_gamma_gamma_gradient_is_the_slope_of_the_likelihood(theta: tuple[float, ...]) -> None:
    data = [np.array(column, dtype=float) for column in ([1, 2, 9], [20.5, 7.25, 310], [5, 2, 1])]
    expected = slope(clv.gamma_gamma_log_likelihood, theta, data)
    gradient = clv.gamma_gamma_log_likelihood(theta, *data)[1]
    assert gradient == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_expected_orders_of_the_published_example() -> None:
    # The authors' note on BG/NBD in Excel: customer 1 of CDNOW in the next 39 weeks.
    customer = (np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert clv.expected_orders(CDNOW_BETA_GEO, 39.0, *customer) == pytest.approx([1.226], abs=5e-4)


def test_expected_orders_equal_the_closed_form_of_the_paper(cdnow: pd.DataFrame) -> None:
    r, alpha, a, b = CDNOW_BETA_GEO
    x, t_x, age = columns(cdnow[["x", "t_x", "T"]])
    z, base = 39 / (alpha + age + 39), (alpha + age) / (alpha + age + 39)
    numerator = 1 - base ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    odds = np.where(x > 0, a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x), 0)
    expected = (a + b + x - 1) / (a - 1) * numerator / (1 + odds)
    assert clv.expected_orders(CDNOW_BETA_GEO, 39.0, x, t_x, age) == pytest.approx(
        expected, rel=1e-9
    )


@given(
    theta=st.tuples(*[st.floats(0.05, 50.0)] * 4),
    x=st.integers(0, 2000),
    t_x=st.floats(0, 400),
    idle=st.floats(0, 400),
)
def test_scores_are_finite_and_ordered_for_any_buyer(
    theta: tuple[float, ...], x: int, t_x: float, idle: float
) -> None:
    now, later = ([np.array([float(v)]) for v in (x, t_x, t_x + i)] for i in (idle, idle + 30))
    assert (
        0 <= clv.probability_alive(theta, *later)[0] <= clv.probability_alive(theta, *now)[0] <= 1
    )
    if x == 0:
        assert clv.probability_alive(theta, *now)[0] == 1
    month, quarter = (clv.expected_orders(theta, float(t), *now)[0] for t in (30, 90))
    assert 0 <= month <= quarter < np.inf


def test_expected_orders_have_no_hole_where_the_closed_form_divides_by_zero() -> None:
    customer = (np.array([3.0]), np.array([20.0]), np.array([30.0]))
    at_one, beside = (clv.expected_orders((0.5, 9, a, 2), 90.0, *customer) for a in (1, 1 + 1e-7))
    assert at_one == pytest.approx(beside, rel=1e-6)


def test_fit_and_scores_agree_with_simulated_customers() -> None:
    truth = (0.8, 12.0, 0.9, 2.5)
    age = np.random.default_rng(1).uniform(30, 150, 20_000)
    x, t_x, later, alive = simulate(truth, age, age + 90, seed=2)
    theta = clv.fit_beta_geo(x, t_x, age, np.ones(len(x)))
    assert theta == pytest.approx(truth, rel=0.15)
    orders = clv.expected_orders(theta, 90.0, x, t_x, age)
    probability = clv.probability_alive(theta, x, t_x, age)
    for chosen in (x == 0, (x > 0) & (x <= 2), x > 2, probability < 0.5):
        assert orders[chosen].mean() == pytest.approx(later[chosen].mean(), rel=0.06)
        assert probability[chosen].mean() == pytest.approx(alive[chosen].mean(), abs=0.02)


def test_a_likelihood_without_maximum_is_an_error() -> None:
    one, same = np.ones(5), np.full(5, 10.0)
    with pytest.raises(clv.FitError, match="beta_geo"):
        clv.fit_beta_geo(one, one * 5, same, one * 100)
    with pytest.raises(clv.FitError, match="gamma_gamma"):
        clv.fit_gamma_gamma(np.arange(1.0, 6.0), same, one * 100)


def test_order_values_without_a_finite_mean_are_an_error() -> None:
    random = np.random.default_rng(5)
    x = random.integers(1, 6, 4000).astype(float)
    value = random.gamma(4 * x) / x / random.gamma(0.7, 1, len(x))
    with pytest.raises(clv.FitError, match="infinite"):
        clv.fit_gamma_gamma(x, value, np.ones(len(x)))


def on(day: int) -> date:
    return date(2019, 10, 1) + timedelta(day)


FEW = [
    (7, on(0), 2, "10.00"),
    (7, on(4), 1, "20.00"),
    (7, on(9), 3, "20.01"),
    (8, on(3), 1, "5.50"),
    (8, on(5), 0, "0.00"),
    (9, on(20), 0, "0.00"),
]


def test_buyers_are_summarised_as_the_models_define_it(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    result = run(connection, FEW)
    summary = result.iloc[:, :5].astype(float).to_numpy().tolist()
    # User 9 bought nothing, but their day is the newest. (20.00 + 20.01) / 2 rounds up.
    assert summary == [[7, 2, 9, 20, 20.01], [8, 0, 0, 17, 0]]


def test_days_after_the_as_of_date_are_not_seen(connection: duckdb.DuckDBPyConnection) -> None:
    summary = run(connection, FEW, as_of=on(4)).iloc[:, :5].astype(float).to_numpy().tolist()
    assert summary == [[7, 1, 4, 4, 20], [8, 0, 0, 1, 0]]


def test_too_few_repeat_buyers_give_a_warning_and_nulls(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, FEW)
    assert "1 repeat buyers < clv_min_repeat_buyers" in caplog.text
    assert len(result) == 2
    assert result.iloc[:, 5:].isna().all(axis=None)


def test_a_failed_fit_gives_a_warning_and_nulls(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, FEW, min_repeat_buyers=0)
    assert "beta_geo_log_likelihood has no maximum" in caplog.text
    assert result.iloc[:, 5:].isna().all(axis=None)


def test_repeat_orders_worth_nothing_are_too_few_repeat_buyers(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, cdnow_days(cdnow.assign(zbar=0)), min_repeat_buyers=0)
    assert "0 repeat buyers" in caplog.text
    assert (result["monetary_value"].astype(float) == 0).all()


def test_equal_order_values_leave_only_the_revenue_unknown(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(connection, cdnow_days(cdnow.assign(zbar=10)))
    assert "gamma_gamma_log_likelihood has no maximum" in caplog.text
    assert result["expected_revenue_90d"].isna().all()
    assert result["expected_orders_90d"].notna().all()


def test_no_events_give_an_empty_table_of_the_documented_types(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert run(connection, []).empty
    empty = connection.table("result")
    described = yaml.safe_load(MODEL.with_suffix(".yml").read_text())["models"][0]["columns"]
    assert [(c["name"], c["data_type"]) for c in described] == [
        (name, str(kind).lower()) for name, kind in zip(empty.columns, empty.types, strict=True)
    ]
    run(connection, FEW)
    assert connection.table("result").types == empty.types


def cdnow_days(cdnow: pd.DataFrame) -> list[Day]:
    """Days of purchase that have the CDNOW summary, one week being seven days."""
    rows: list[Day] = []
    for user, x, t_x, age, value in cdnow[["ID", "x", "t_x", "T", "zbar"]].itertuples(index=False):
        last, first = round(t_x * 7), on(-round(age * 7))
        rows.append((user, first, 1, "1.00"))
        offsets = [*range(1, int(x)), last] if x else []
        rows += [(user, first + timedelta(day), 1, f"{value:.2f}") for day in offsets]
    rows.append((-1, on(0), 0, "0.00"))
    return rows


def test_cdnow_through_the_engine_gives_the_published_predictions(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[tuple[Floats, Floats]] = []
    fit = clv.fit_gamma_gamma

    def spy(x: Floats, value: Floats, n: Floats) -> Floats:
        fits.append((n, fit(x, value, n)))
        return fits[-1][1]

    monkeypatch.setattr(clv, "fit_gamma_gamma", spy)
    result = run(connection, cdnow_days(cdnow))
    frame = result.astype(float)
    x, t_x, age, value = columns(cdnow[["x", "t_x", "T", "zbar"]])
    assert frame["frequency"].tolist() == x.tolist()
    assert frame["monetary_value"].tolist() == value.tolist()

    alive = clv.probability_alive(CDNOW_BETA_GEO, x, t_x, age)
    orders = clv.expected_orders(CDNOW_BETA_GEO, 90 / 7, x, t_x, age)
    p, q, v = CDNOW_GAMMA_GAMMA
    revenue = orders * p * (v + x * value) / (p * x + q - 1)
    assert frame["probability_alive"].to_numpy() == pytest.approx(alive, abs=0.003)
    assert frame["expected_orders_90d"].to_numpy() == pytest.approx(orders, rel=0.01, abs=1e-5)
    assert frame["expected_revenue_90d"].to_numpy() == pytest.approx(revenue, rel=0.015, abs=0.01)

    # Bins of order value may not cost precision.
    [(n, binned)] = fits
    repeat = x > 0
    assert len(n) < n.sum() == repeat.sum()
    assert binned == pytest.approx(
        fit(x[repeat], value[repeat], np.ones(n.sum().astype(int))), rel=1e-4
    )


def test_the_order_of_rows_does_not_change_a_digit(
    cdnow: pd.DataFrame, connection: duckdb.DuckDBPyConnection
) -> None:
    rows = cdnow_days(cdnow)
    shuffled = [rows[i] for i in np.random.default_rng(4).permutation(len(rows))]
    pd.testing.assert_frame_equal(run(connection, rows), run(connection, shuffled))


def test_the_order_of_groups_does_not_change_a_bit(cdnow: pd.DataFrame) -> None:
    counts = cdnow.groupby(["x", "t_x", "T"], as_index=False).agg(buyers=("ID", "size"))
    first = np.datetime64(on(0), "D") - (counts["T"] * 7).round().to_numpy().astype(int)
    groups = pa.table(
        {
            "frequency": counts["x"].astype(int),
            "first_date": first,
            "last_date": first + (counts["t_x"] * 7).round().to_numpy().astype(int),
            "buyers": counts["buyers"],
        }
    )
    logs = np.log(cdnow["zbar"].where(cdnow["x"] > 0, 1)) * 1e9
    values = pa.table(
        {
            "frequency": cdnow["x"],
            "bin": cdnow["ID"],
            "buyers": np.ones(len(cdnow), dtype=int),
            "log_value_e9": logs.round().astype(int),
        }
    ).filter(pc.field("frequency") > 0)
    random = np.random.default_rng(6)
    shuffled = [t.take(random.permutation(t.num_rows)) for t in (groups, values)]
    scores = clv.score(groups, values, on(0), 100)
    assert all(column.null_count == 0 for column in scores.columns)
    assert clv.score(*shuffled, on(0), 100) == scores


class Dbt:
    """What dbt hands to a Python model: the vars as meta, and the relations."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, **meta: object) -> None:
        self.config = self
        self.ref = connection.table
        self.meta_get = meta.get


@pytest.mark.parametrize(("as_of", "age"), [("", 20), ("2019-10-05", 4)])
def test_entry_point_reads_the_variables(
    as_of: str, age: int, connection: duckdb.DuckDBPyConnection
) -> None:
    run(connection, FEW)
    result = clv.model(Dbt(connection, as_of_date=as_of, clv_min_repeat_buyers=100), connection)
    assert result.filter("user_id = 7").fetchall()[0][3] == age
