"""Polars: lazy frames on its streaming engine, kept as Parquet files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.peers.core import DAY_COLUMNS, GAP_SECONDS, Days, Steps, answer

_TYPES = {
    "event_time": pl.String,
    "event_type": pl.String,
    "product_id": pl.Int64,
    "category_id": pl.Int64,
    "category_code": pl.String,
    "brand": pl.String,
    "price": pl.Float64,
    "user_id": pl.Int64,
    "user_session": pl.String,
}


# The default would round halves to even.
_cents = (pl.col("price") * 100).round(mode="half_away_from_zero").cast(pl.Int64)


def run(folder: Path, work: Path, steps: Steps) -> Days:
    """Write the frames below `work`; return the days."""
    with steps.step("load"):
        _landed(folder).sink_parquet(work / "raw.parquet", compression="lz4")
    with steps.step("events"):
        _events(pl.scan_parquet(work / "raw.parquet")).sink_parquet(
            work / "events.parquet", compression="lz4"
        )
    events = pl.scan_parquet(work / "events.parquet")
    with steps.step("sessions"):
        _sessions(events).sink_parquet(work / "sessions.parquet", compression="lz4")
    with steps.step("days"):
        days = _days(events, pl.scan_parquet(work / "sessions.parquet"))
        days.sink_parquet(work / "days.parquet")
    return pl.read_parquet(work / "days.parquet").rows()


def _landed(folder: Path) -> pl.LazyFrame:
    time = pl.col("event_time").str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S")
    return (
        pl.scan_csv(folder / "*.csv", schema=_TYPES)
        .with_columns(time, _cents)
        .drop_nulls("user_session")
    )


def _events(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Return each event once, with the number of its session."""
    pause = pl.col("event_time") - pl.col("event_time").shift(1)
    starts = (
        (pl.col("user_id") != pl.col("user_id").shift(1))
        | (pl.col("user_session") != pl.col("user_session").shift(1))
        | (pause > pl.duration(seconds=GAP_SECONDS))
    ).fill_null(value=True)
    # After sorting, what belongs together is side by side: a session needs no window.
    return (
        raw.unique()
        .sort("user_id", "user_session", "event_time")
        .with_columns(starts.cast(pl.UInt32).cum_sum().alias("session_id"))
    )


def _sessions(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.group_by("session_id").agg(
        pl.col("user_id").first(),
        pl.col("user_session").first(),
        pl.col("event_time").min().alias("started_at"),
        pl.col("event_time").max().alias("ended_at"),
        pl.len().alias("events"),
        (pl.col("event_type") == "purchase").sum().alias("purchases"),
    )


def _days(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    kind = pl.col("event_type")
    by_event = events.group_by(pl.col("event_time").dt.date().alias("event_date")).agg(
        pl.len().alias("events"),
        (kind == "view").sum().alias("views"),
        (kind == "cart").sum().alias("carts"),
        (kind == "purchase").sum().alias("purchases"),
        pl.col("price").filter(kind == "purchase").sum().alias("revenue_cents"),
    )
    seconds = (pl.col("ended_at") - pl.col("started_at")).dt.total_seconds()
    by_session = sessions.group_by(pl.col("started_at").dt.date().alias("event_date")).agg(
        pl.len().alias("sessions"),
        seconds.sum().alias("session_seconds"),
        (pl.col("purchases") > 0).sum().alias("orders"),
    )
    return by_event.join(by_session, on="event_date", how="left").select(DAY_COLUMNS)


if __name__ == "__main__":
    answer(run)
