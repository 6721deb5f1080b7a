# Databricks notebook source
# MAGIC %md
# MAGIC Written by `python -m notebooks.databricks`. Choose the catalog of your target above.

# COMMAND ----------

dbutils.widgets.text("catalog", "ecommerce_analytics_prod")
spark.catalog.setCurrentCatalog(dbutils.widgets.get("catalog"))

# COMMAND ----------

# MAGIC %md
# MAGIC # A tour of the shop
# MAGIC
# MAGIC Seven questions to the gold tables, each with what to beware of. Every table and column is
# MAGIC described in the docs site.

# COMMAND ----------

# MAGIC %md
# MAGIC ## How good are the days?
# MAGIC
# MAGIC Look here first: an incomplete day lacks data, and a catch-up day has that of others. Averages
# MAGIC and comparisons leave both out.

# COMMAND ----------

# MAGIC %sql
# MAGIC select day_kind, count(*) as days, sum(revenue) as revenue
# MAGIC from gold_layer.daily_sales_summary
# MAGIC group by day_kind
# MAGIC order by days desc, day_kind

# COMMAND ----------

# MAGIC %md
# MAGIC ## What did the shop sell?
# MAGIC
# MAGIC Revenue, orders and units add up over days. Visitors do not: one who comes on two days counts in
# MAGIC both.

# COMMAND ----------

# MAGIC %sql
# MAGIC select
# MAGIC     date_trunc('month', event_date) as sales_month,
# MAGIC     sum(revenue) as revenue,
# MAGIC     sum(orders) as orders,
# MAGIC     round(sum(revenue) / nullif(sum(orders), 0), 2) as average_order_value
# MAGIC from gold_layer.daily_sales_summary
# MAGIC group by date_trunc('month', event_date)
# MAGIC order by sales_month

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where do shoppers drop out?
# MAGIC
# MAGIC Sessions of the whole shop are the rows of `(all)`. The sessions of the categories add up to
# MAGIC more, because one session counts in each category that it touches.

# COMMAND ----------

# MAGIC %sql
# MAGIC select
# MAGIC     category_l1,
# MAGIC     sum(sessions) as sessions,
# MAGIC     round(sum(sessions_view_then_cart) / nullif(sum(sessions_with_view), 0), 3) as view_to_cart,
# MAGIC     round(sum(sessions_with_purchase) / nullif(sum(sessions), 0), 3) as conversion
# MAGIC from gold_layer.conversion_funnel
# MAGIC group by category_l1
# MAGIC order by sessions desc, category_l1
# MAGIC limit 6

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who are the customers?
# MAGIC
# MAGIC What is expected of a segment in the next 90 days is an estimate, and null for users who never
# MAGIC bought.

# COMMAND ----------

# MAGIC %sql
# MAGIC select
# MAGIC     user_segment,
# MAGIC     count(*) as users,
# MAGIC     sum(revenue) as revenue,
# MAGIC     round(sum(expected_revenue_90d), 0) as expected_90_days
# MAGIC from gold_layer.customer_metrics
# MAGIC group by user_segment
# MAGIC order by revenue desc, user_segment

# COMMAND ----------

# MAGIC %md
# MAGIC ## Do buyers come back?
# MAGIC
# MAGIC By week of the first order. A week that has not ended is null, not 0. Many who are new in the
# MAGIC first weeks of the data have bought before it begins; their weeks are left out.

# COMMAND ----------

# MAGIC %sql
# MAGIC select
# MAGIC     cohort_week,
# MAGIC     max(customers) as customers,
# MAGIC     max(case when weeks_since_first_order = 1 then round(return_rate, 3) end) as after_1_week,
# MAGIC     max(case when weeks_since_first_order = 4 then round(return_rate, 3) end) as after_4_weeks
# MAGIC from gold_layer.customer_cohorts
# MAGIC where not is_left_censored
# MAGIC group by cohort_week
# MAGIC order by cohort_week

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which products carry the shop?
# MAGIC
# MAGIC Class A makes the first 80 % of revenue, C is the rest that sold; null was only looked at.

# COMMAND ----------

# MAGIC %sql
# MAGIC select pareto_class, count(*) as products, sum(revenue) as revenue
# MAGIC from gold_layer.product_performance
# MAGIC group by pareto_class
# MAGIC order by revenue desc, pareto_class

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which brands sell within a category?

# COMMAND ----------

# MAGIC %sql
# MAGIC select category_l1, brand, sum(purchases) as units, sum(revenue) as revenue
# MAGIC from gold_layer.category_brand_days
# MAGIC group by category_l1, brand
# MAGIC order by revenue desc, category_l1, brand
# MAGIC limit 10
