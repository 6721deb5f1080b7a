-- How much revenue is at risk because its buyers stay away?
select
    churn_risk,
    rfm_segment,
    count(*) as buyers,
    sum(revenue) as revenue,
    round(cast(avg(days_since_last_purchase) as double), 1) as average_days_since_purchase,
    round(avg(probability_alive), 3) as average_probability_alive,
    sum(open_cart_value) as open_cart_value
from {{ ref('customer_metrics') }}
where orders > 0
group by churn_risk, rfm_segment
order by revenue desc, churn_risk asc, rfm_segment asc
