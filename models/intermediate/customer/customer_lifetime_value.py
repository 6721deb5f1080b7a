"""Predicted value of every buyer: how many orders are to come, and what an order is worth.

[1] Batislam, Denizel, Filiztekin (2007), Empirical Validation and Comparison: the MBG/NBD model.
[2] Hoppe, Wagner (2007), Customer Base Analysis, and (2008), Erratum on the MBG/NBD Model.
[3] Fader, Hardie (2013), The Gamma-Gamma Model of Monetary Value.
Symbols: x = repeat orders, t_x and age (T) = first order to last and to today, n = equal buyers.
"""

import logging
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.integrate import tanhsinh
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, log_expit

Floats = NDArray[np.float64]
HORIZON_DAYS = 90  # fixed by the names of the columns
VALUE_BINS_PER_E_FOLD = 100  # repeat buyers whose order values differ by < 1 % are fitted as one
HALF_DAY = 0.5  # more than the days differ: from the middle of the first to the end of the last
GROUP = ["frequency", "recency_days", "age_days"]


class FitError(RuntimeError):
    """The buyers determine no parameters, or none with finite means."""


def log_probability_alive(theta: Any, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Log of the probability that a buyer has not left for good, [1]."""
    r, alpha, a, b = theta
    # Odds of having left at the last order, be it the first; in logs, because the powers overflow.
    left = np.log(a / (b + x)) + (r + x) * np.log((alpha + age) / (alpha + t_x))
    return np.asarray(log_expit(-left))


def mbg_nbd_log_likelihood(theta: Any, x: Floats, t_x: Floats, age: Floats, n: Floats) -> float:
    """Log-likelihood of theta = (r, alpha, a, b), [1]. Of many groups, few differ in x = k."""
    (r, alpha, a, b), k, of_x = theta, np.arange(x.max() + 1), x.astype(int)
    orders = gammaln(r + k)[of_x] - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + age)
    stayed = betaln(a, b + k + 1)[of_x] - betaln(a, b)
    # The likelihood is a sum, alive or left at the last order; P(alive) is its first term's share.
    return float(np.sum(n * (orders + stayed - log_probability_alive(theta, x, t_x, age))))


def gamma_gamma_log_likelihood(theta: Any, x: Floats, value: Floats, n: Floats) -> float:
    """Log-likelihood of theta = (p, q, v), [3] eq. 1a; value = mean of x > 0 orders."""
    p, q, v = theta
    constant = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
    spent = p * x * np.log(x * value) - np.log(value) - (p * x + q) * np.log(x * value + v)
    return float(np.sum(n * (constant + spent)))


def maximize(log_likelihood: Callable[..., float], start: Any, *data: Floats) -> Floats:
    """Positive parameters of the highest likelihood, or FitError; data ends with n."""

    def cost(log_theta: Floats) -> float:
        return -log_likelihood(np.exp(log_theta), *data) / float(data[-1].sum())

    center, reach = np.log(start), 8.0
    bounds = [(middle - reach, middle + reach) for middle in center]
    starts = (center, center - 1)
    found, check = (minimize(cost, z, bounds=bounds, jac="3-point", tol=1e-14).x for z in starts)
    # Without a maximum, a search runs off to a bound or ends wherever it started.
    if not (abs(found - center).max() < reach - 1 and abs(found - check).max() < 1e-3):
        raise FitError(f"{log_likelihood.__name__} has no maximum at finite parameters")
    return np.asarray(np.exp(found))


def fit_mbg_nbd(x: Floats, t_x: Floats, age: Floats, n: Floats) -> Floats:
    """Fit (r, alpha, a, b), alpha in the unit of t_x and age."""
    return maximize(mbg_nbd_log_likelihood, (1, np.average(age, weights=n), 1, 2), x, t_x, age, n)


def fit_gamma_gamma(x: Floats, value: Floats, n: Floats) -> Floats:
    """Fit (p, q, v) to repeat buyers, v in the unit of value."""
    start = (3, 3, np.exp(np.average(np.log(value), weights=n)))
    p, q, v = maximize(gamma_gamma_log_likelihood, start, x, value, n)
    if q <= 1:
        raise FitError(f"Gamma-Gamma q = {q:.3f} <= 1: the mean order value is infinite")
    return np.array([p, q, v])


def expected_orders(theta: Any, t: float, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Orders expected within t from now, [2]."""
    r, alpha, a, b = theta

    # The 2F1 in [2] is a mean over p, the probability of leaving at an order, which is
    # Beta(a, b + x + 1) while alive. scipy's 2F1 is nan for busy or young buyers; the mean is not.
    def orders_times_density(logit_p: Floats, x: Floats, age: Floats) -> Any:
        p = np.maximum(expit(logit_p), 1e-300)
        orders = -np.expm1(-(r + x) * np.log1p(p * t / (alpha + age))) / p
        stays = b + x + 1  # the first order and x repeat orders
        log_density = a * log_expit(logit_p) + stays * log_expit(-logit_p) - betaln(a, stays)
        return orders * np.exp(log_density)

    pairs, of_pair = np.unique([x, age], axis=1, return_inverse=True)  # a tenth of the groups
    mean = tanhsinh(orders_times_density, -np.inf, np.inf, args=tuple(pairs), rtol=1e-10).integral
    return np.asarray(np.exp(log_probability_alive(theta, x, t_x, age)) * mean[of_pair.ravel()])


def score(groups: pd.DataFrame, value_bins: pd.DataFrame, min_repeat_buyers: int) -> pd.DataFrame:
    """Scores of every group of equal buyers; nan, with a warning, where no model can be fitted."""
    x, t_x, age, n = groups.add([0, 0, HALF_DAY, 0]).to_numpy(float).T
    repeat_x, _, repeat_n, total_value = value_bins.to_numpy(float).T
    alive = orders = own_share = shop_value = np.full(len(x), np.nan)
    try:
        if repeat_n.sum() < max(min_repeat_buyers, 1):
            raise FitError(f"{repeat_n.sum():.0f} repeat buyers < clv_min_repeat_buyers: load more")
        theta = fit_mbg_nbd(x, t_x, age, n)
        alive = np.exp(log_probability_alive(theta, x, t_x, age))
        orders = expected_orders(theta, HORIZON_DAYS, x, t_x, age)
        p, q, v = fit_gamma_gamma(repeat_x, total_value / repeat_n, repeat_n)
        own_share = p * x / (p * x + q - 1)  # [3] eq. 5: own orders outweigh the shop's mean
        shop_value = np.full(len(x), p * v / (q - 1))
    except FitError as error:
        logging.warning("customer_lifetime_value: predictions are null: %s", error)
    scores = groups[GROUP].assign(own_share=own_share, shop_value=shop_value)
    return scores.assign(probability_alive=alive.round(6), expected_orders_90d=orders.round(6))


def model(dbt: Any, session: Any) -> Any:
    """Fit both models to counts of equal buyers and join the scores to the buyers."""
    buyers, value = nw.from_native(dbt.ref("buyer_purchases")), nw.col("monetary_value")
    value_bins = (
        buyers.filter(value > 0)
        .with_columns(value_bin=(value.cast(nw.Float64).log() * VALUE_BINS_PER_E_FOLD).floor())
        .group_by("frequency", "value_bin")
        .agg(n=nw.len(), total_value=value.sum().cast(nw.Float64))
    )
    # Sorted, so that sums of floats do not depend on the order in which the engine returns rows.
    scores = score(
        buyers.group_by(GROUP).agg(n=nw.len()).collect("pandas").sort(GROUP).to_native(),
        value_bins.collect("pandas").sort("frequency", "value_bin").to_native(),
        int(dbt.config.meta_get("clv_min_repeat_buyers")),
    )
    # Unlike DuckDB, Spark infers no types from no rows, and may keep the nan of pandas.
    types = ", ".join(f"{name} {'bigint' if name in GROUP else 'double'}" for name in scores)
    to_engine = getattr(session, "createDataFrame", lambda rows, _: session.from_df(rows))
    scored = buyers.join(nw.from_native(to_engine(scores, types)), on=GROUP, how="left")
    own_share, orders = nw.col("own_share"), nw.col("expected_orders_90d")
    order_value = own_share * value.cast(nw.Float64) + (1 - own_share) * nw.col("shop_value")
    return scored.select(
        *buyers.collect_schema().names(),
        nw.col("probability_alive", "expected_orders_90d").fill_nan(None),
        expected_revenue_90d=(orders * order_value).fill_nan(None).cast(nw.Decimal(18, 2)),
    ).to_native()
