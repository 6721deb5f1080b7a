"""A guided tour of gold, on this machine: open it by `.venv/bin/marimo edit notebooks/tour.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="A tour of the shop")


@app.cell
def _():
    import marimo as mo

    from export.gold import opened
    from project.home import database_path

    def ask(sql):
        """Return the rows of a query; the database is open for its time only, else runs wait."""
        with opened(database_path()) as connection:
            return connection.execute(sql).df()

    return ask, mo


@app.cell
def _(mo):
    mo.md("""
    # A tour of the shop

    Seven questions to the gold tables, each with what to beware of. Every table and column is
    described in the docs site.
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## How good are the days?

    Look here first: an incomplete day lacks data, and a catch-up day has that of others. Averages
    and comparisons leave both out.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select day_kind, count(*) as days, sum(revenue) as revenue
    from gold_layer.daily_sales_summary
    group by day_kind
    order by days desc, day_kind
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## What did the shop sell?

    Revenue, orders and units add up over days. Visitors do not: one who comes on two days counts in
    both.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select
        date_trunc('month', event_date) as sales_month,
        sum(revenue) as revenue,
        sum(orders) as orders,
        round(sum(revenue) / nullif(sum(orders), 0), 2) as average_order_value
    from gold_layer.daily_sales_summary
    group by date_trunc('month', event_date)
    order by sales_month
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Where do shoppers drop out?

    Sessions of the whole shop are the rows of `(all)`. The sessions of the categories add up to
    more, because one session counts in each category that it touches.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select
        category_l1,
        sum(sessions) as sessions,
        round(sum(sessions_view_then_cart) / nullif(sum(sessions_with_view), 0), 3) as view_to_cart,
        round(sum(sessions_with_purchase) / nullif(sum(sessions), 0), 3) as conversion
    from gold_layer.conversion_funnel
    group by category_l1
    order by sessions desc, category_l1
    limit 6
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Who are the customers?

    What is expected of a segment in the next 90 days is an estimate, and null for users who never
    bought.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select
        user_segment,
        count(*) as users,
        sum(revenue) as revenue,
        round(sum(expected_revenue_90d), 0) as expected_90_days
    from gold_layer.customer_metrics
    group by user_segment
    order by revenue desc, user_segment
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Do buyers come back?

    By week of the first order. A week that has not ended is null, not 0. Many who are new in the
    first weeks of the data have bought before it begins; their weeks are left out.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select
        cohort_week,
        max(customers) as customers,
        max(case when weeks_since_first_order = 1 then round(return_rate, 3) end) as after_1_week,
        max(case when weeks_since_first_order = 4 then round(return_rate, 3) end) as after_4_weeks
    from gold_layer.customer_cohorts
    where not is_left_censored
    group by cohort_week
    order by cohort_week
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Which products carry the shop?

    Class A makes the first 80 % of revenue, C is the rest that sold; null was only looked at.
    """)
    return


@app.cell
def _(ask):
    ask("""
    select pareto_class, count(*) as products, sum(revenue) as revenue
    from gold_layer.product_performance
    group by pareto_class
    order by revenue desc, pareto_class
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Which brands sell within a category?
    """)
    return


@app.cell
def _(ask):
    ask("""
    select category_l1, brand, sum(purchases) as units, sum(revenue) as revenue
    from gold_layer.category_brand_days
    group by category_l1, brand
    order by revenue desc, category_l1, brand
    limit 10
    """)
    return


if __name__ == "__main__":
    app.run()
