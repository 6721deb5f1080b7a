"""Predicted value per buyer: BG/NBD for orders to come, Gamma-Gamma for what an order is worth.

Sources: Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way; Fader, Hardie (2013),
The Gamma-Gamma Model of Monetary Value. x = repeat order days, t_x = recency, T = age (one unit).
Engine work is lazy; only counts collapsed over equal customers are ever fetched.
"""

import logging
from collections.abc import Callable
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.integrate import tanhsinh
from scipy.optimize import minimize, root
from scipy.special import betaln, digamma, expit, gammaln

KEYS = ("frequency", "first_date", "last_date")
VALUES = ("frequency", "bin", "buyers", "log_value_e9")
COLUMNS = (
    *("user_id", "frequency", "recency_days", "age_days", "monetary_value"),
    *("probability_alive", "expected_orders_90d", "expected_revenue_90d"),
)
HORIZON_DAYS = 90  # fixed by the names of the columns
LOG_VALUE_BIN = 0.01  # moves a customer's log-likelihood by at most (px + q) * 0.01^2 / 32
MONEY = nw.Decimal(18, 2)
SPARK_TYPES = {pa.int64(): "bigint", pa.date32(): "date", pa.float64(): "double"}
Floats = NDArray[np.float64]


class FitError(ValueError):
    """The likelihood has no usable maximum."""


def beta_geo_log_likelihood(theta: Any, x: Floats, t_x: Floats, age: Floats, n: Floats) -> Any:
    """(log-likelihood, gradient) of theta = (r, alpha, a, b); row i stands for n[i] customers."""
    r, alpha, a, b = theta
    # Eq. 6 of the paper in logs: its gammas and powers of alpha overflow for busy customers.
    last = np.maximum(b + x - 1, b)
    alive = -(r + x) * np.log(alpha + age)
    dead = np.where(x > 0, np.log(a / last) - (r + x) * np.log(alpha + t_x), -np.inf)
    ll = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    d, both = expit(dead - alive), digamma(a + b) - digamma(a + b + x)
    time_0, time_1 = alpha + age, alpha + t_x
    by_r = digamma(r + x) - digamma(r) + np.log(alpha / time_0) + d * np.log(time_0 / time_1)
    by_alpha = r / alpha - (r + x) * ((1 - d) / time_0 + d / time_1)
    by_b = both + digamma(b + x) - digamma(b) - d / last
    gradient = np.stack([by_r, by_alpha, both + d / a, by_b])
    return n @ (ll + np.logaddexp(alive, dead)), gradient @ n


def gamma_gamma_log_likelihood(theta: Any, x: Floats, value: Floats, n: Floats) -> Any:
    """(log-likelihood, gradient) of theta = (p, q, v); n[i] customers with x > 0 of mean value."""
    p, q, v = theta
    shape, log_spent, log_total = p * x + q, np.log(x * value), np.log(x * value + v)
    ll = gammaln(shape) - gammaln(p * x) - gammaln(q) + q * np.log(v)
    ll += p * x * log_spent - np.log(value) - shape * log_total
    by_p = x * (digamma(shape) - digamma(p * x) + log_spent - log_total)
    by_q = digamma(shape) - digamma(q) + np.log(v) - log_total
    return n @ ll, np.stack([by_p, by_q, q / v - shape / (x * value + v)]) @ n


def maximise(log_likelihood: Callable[..., Any], starts: list[Any], *data: Floats) -> Floats:
    """Positive parameters of the highest likelihood, or FitError; the last of data is n."""

    def descent(log_theta: Floats) -> Any:
        value, gradient = log_likelihood(np.exp(log_theta), *data)
        return -value / data[-1].sum(), -gradient * np.exp(log_theta) / data[-1].sum()

    def slope(log_theta: Floats) -> Floats:
        return np.asarray(descent(log_theta)[1])

    bounds = [(s - 8, s + 8) for s in np.log(starts[0])]
    with np.errstate(all="ignore"):
        fits = [minimize(descent, np.log(s), jac=True, bounds=bounds) for s in starts]
        best = min(fits, key=lambda fit: float(fit.fun))
        # A line search stalls at sqrt(epsilon); gradient = 0 gives reproducible digits.
        point = root(slope, best.x, tol=1e-12).x
        value, gradient = descent(point)
    inside = all(low + 1 < z < high - 1 for z, (low, high) in zip(point, bounds, strict=True))
    if not (inside and np.abs(gradient).max() < 1e-9 and value <= best.fun + 1e-9):
        name, near = log_likelihood.__name__, np.exp(best.x).round(4)
        raise FitError(f"{name} has no maximum at finite parameters (stopped near {near})")
    return np.asarray(np.exp(point))


def fit_beta_geo(x: Floats, t_x: Floats, age: Floats, n: Floats) -> Floats:
    """Maximum-likelihood (r, alpha, a, b), alpha in the unit of t_x and age; may raise FitError."""
    starts = [(s, s * (n @ age) / n.sum(), s, 2 * s) for s in (1.0, 0.2, 5.0)]
    return maximise(beta_geo_log_likelihood, starts, x, t_x, age, n)


def fit_gamma_gamma(x: Floats, value: Floats, n: Floats) -> Floats:
    """Maximum-likelihood (p, q, v), v in the unit of value; x, value > 0; may raise FitError."""
    starts = [(p, q, np.exp(n @ np.log(value) / n.sum())) for p, q in ((3, 3), (1, 2), (10, 5))]
    theta = maximise(gamma_gamma_log_likelihood, starts, x, value, n)
    if theta[1] <= 1:
        raise FitError(f"Gamma-Gamma q = {theta[1]:.3f} <= 1: the mean order value is infinite")
    return theta


def probability_alive(theta: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """P(not dropped out by age), 1 where x = 0: this model lets customers go only at an order."""
    r, alpha, a, b = theta
    odds = np.log(a / np.maximum(b + x - 1, b)) + (r + x) * np.log((alpha + age) / (alpha + t_x))
    return np.asarray(np.where(x > 0, expit(-odds), 1.0))


def expected_orders(theta: Floats, t: float, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """E[Y(t) | x, t_x, T]: eq. 10 of the paper as the mean over p that its 2F1 stands for."""
    r, alpha, a, b = theta
    # scipy's 2F1 returns nan for large x with small alpha, and eq. 10 is 0/0 at a = 1.
    pairs, row = np.unique(np.stack([x, age]), axis=1, return_inverse=True)

    def integrand(logit: Floats, x: Floats, age: Floats) -> Floats:
        log_p, log_1_p = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
        orders = -np.expm1(-(r + x) * np.log1p(np.exp(log_p) * t / (alpha + age)))
        weight = (a - 1) * log_p + (b + x) * log_1_p - betaln(a, b + x)
        return np.asarray(np.exp(np.log(orders) + weight))

    with np.errstate(divide="ignore", under="ignore"):
        alive = tanhsinh(integrand, -np.inf, np.inf, args=tuple(pairs), rtol=1e-10).integral
    return np.asarray(probability_alive(theta, x, t_x, age) * alive[row.reshape(-1)])


def score(groups: pa.Table, values: pa.Table, as_of: date, min_repeat_buyers: int) -> pa.Table:
    """Scores of every group of equal buyers; null, with a warning, where no model can be fitted.

    groups: frequency, first_date, last_date, buyers. values: repeat buyers equal in frequency and,
    but for a bin, in mean order value; log_value_e9 is the sum of its logarithms times 10^9.
    """
    groups = groups.sort_by([(key, "ascending") for key in KEYS])
    values = values.sort_by([(key, "ascending") for key in VALUES])
    x, n = (groups[c].to_numpy().astype(float) for c in ("frequency", "buyers"))
    age, idle = ((np.datetime64(as_of, "D") - groups[c].to_numpy()).astype(int) for c in KEYS[1:])
    alive = orders = base = slope = np.full(len(x), np.nan)
    try:
        x_of, _, n_of, logs = (values[c].to_numpy().astype(float) for c in VALUES)
        if n_of.sum() < max(min_repeat_buyers, 1):
            raise FitError(
                f"{n_of.sum():.0f} repeat buyers < clv_min_repeat_buyers, load more days"
            )
        theta = fit_beta_geo(x, age - idle, age, n)
        alive = probability_alive(theta, x, age - idle, age)
        orders = expected_orders(theta, HORIZON_DAYS, x, age - idle, age)
        p, q, v = fit_gamma_gamma(x_of, np.exp(logs / n_of / 1e9), n_of)
        base, slope = orders * p * v / (p * x + q - 1), orders * p / (p * x + q - 1)
    except FitError as error:
        logging.warning("customer_lifetime_value: predictions are null: %s", error)
    scores = {"recency_days": age - idle, "age_days": age, "probability_alive": alive.round(6)}
    scores |= {"expected_orders_90d": orders.round(6), "base": base, "slope": slope}
    for name, column in scores.items():
        groups = groups.append_column(name, pa.array(column, from_pandas=True))
    return groups.drop(["buyers"])


def to_engine(session: Any, table: pa.Table) -> Any:
    """Make a small Arrow table a relation of the engine behind session (Spark or DuckDB)."""
    if not hasattr(session, "createDataFrame"):
        return session.from_arrow(table)
    ddl = ", ".join(f"{field.name} {SPARK_TYPES[field.type]}" for field in table.schema)
    return session.createDataFrame(list(zip(*table.to_pydict().values(), strict=True)), ddl)


def lifetime_values(user_days: Any, session: Any, as_of: date | None, min_repeat: int) -> Any:
    """One row per buyer up to as_of (default: the newest day), as a relation of the engine."""
    frame, day = nw.from_native(user_days), nw.col("event_date")
    as_of = as_of or frame.select(day.max()).collect("pyarrow").item() or date(1970, 1, 1)
    days = frame.filter(nw.col("purchases") > 0, day <= as_of)
    later = nw.when(day > day.min().over("user_id")).then(nw.col("revenue"))
    buyers = (
        days.with_columns(spent=later)
        .group_by("user_id")
        .agg(
            (nw.len() - 1).cast(nw.Int64).alias("frequency"),
            *(day.min().alias("first_date"), day.max().alias("last_date")),
            nw.col("spent").sum().cast(nw.Float64),
        )
    )
    log_value = (nw.col("spent") / nw.col("frequency")).log()
    # Sums of integers, unlike sums of floats, do not depend on the order of rows.
    values = buyers.filter(nw.col("frequency") > 0, nw.col("spent") > 0).with_columns(
        bin=(log_value / LOG_VALUE_BIN).floor().cast(nw.Int64),
        log_value_e9=(log_value * 1e9).round(0).cast(nw.Int64),
    )
    values = values.group_by("frequency", "bin").agg(
        nw.len().alias("buyers"), nw.col("log_value_e9").sum().cast(nw.Int64)
    )
    groups = buyers.group_by(*KEYS).agg(nw.len().alias("buyers"))
    small, binned = (lazy.collect("pyarrow").to_arrow() for lazy in (groups, values))
    scores = nw.from_native(to_engine(session, score(small, binned, as_of, min_repeat)))
    mean = nw.col("spent") * 100 / nw.max_horizontal("frequency", nw.lit(1))
    revenue = (nw.col("base") + nw.col("slope") * nw.col("spent")) * 100
    scored = buyers.join(scores, on=list(KEYS), how="left").with_columns(
        monetary_value=(mean.round(0) / 100).cast(MONEY),
        expected_revenue_90d=(revenue.round(0) / 100).cast(MONEY),
    )
    return scored.select(*COLUMNS).to_native()


def model(dbt: Any, session: Any) -> Any:
    """Entry point of dbt; the variables arrive as meta, see the .yml beside this file."""
    as_of = dbt.config.meta_get("as_of_date")
    day = date.fromisoformat(str(as_of)) if as_of else None
    min_repeat = int(dbt.config.meta_get("clv_min_repeat_buyers"))
    return lifetime_values(dbt.ref("user_days"), session, day, min_repeat)
