-- Figures of the page Categories and brands.

-- name: categories
with

as_of as (
    select max(as_of_date) as as_of_date
    from gold_layer.customer_metrics
),

days as (
    select
        daily_sales_summary.event_date,
        daily_sales_summary.is_complete,
        daily_sales_summary.event_date > as_of.as_of_date - 28 as is_recent,
        daily_sales_summary.event_date > as_of.as_of_date - 56 as is_compared
    from gold_layer.daily_sales_summary
    cross join as_of
),

periods as (
    select
        count(*) filter (where is_recent and is_complete) as days_now,
        count(*) filter (where not is_recent and is_compared and is_complete) as days_before,
        count(*) filter (where not is_recent and is_compared) as calendar_days_before
    from days
),

categories as (
    select
        category_brand_days.category_l1,
        sum(category_brand_days.revenue) as revenue,
        sum(category_brand_days.purchases) as units,
        sum(category_brand_days.views) as views,
        sum(
            case when days.is_recent and days.is_complete then category_brand_days.revenue end
        ) as revenue_now,
        sum(
            case
                when not days.is_recent and days.is_compared and days.is_complete
                    then category_brand_days.revenue
            end
        ) as revenue_before
    from gold_layer.category_brand_days
    inner join days on category_brand_days.event_date = days.event_date
    group by category_brand_days.category_l1
)

select
    categories.category_l1,
    cast(categories.revenue as decimal(18, 2)) as revenue,
    cast(categories.units as bigint) as units,
    cast(categories.views as bigint) as views,
    cast(categories.revenue_now / nullif(periods.days_now, 0) as decimal(18, 2))
        as daily_revenue,
    cast(categories.revenue_before / nullif(periods.days_before, 0) as decimal(18, 2))
        as daily_revenue_before,
    case
        when periods.calendar_days_before = 28
            then
                (categories.revenue_now / nullif(periods.days_now, 0))
                / nullif(categories.revenue_before / nullif(periods.days_before, 0), 0)
                - 1
    end as change_rate
from categories
cross join periods
order by categories.revenue desc, categories.category_l1;

-- name: subcategories
select
    category_l1,
    category_l2,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(purchases) as bigint) as units,
    cast(sum(views) as bigint) as views,
    sum(purchases) / nullif(sum(views), 0) as purchases_per_view
from gold_layer.category_brand_days
where category_l1 <> '(none)'
group by category_l1, category_l2
having sum(revenue) > 0
order by revenue desc, category_l1, category_l2
limit 20;

-- name: weekly
with

largest as (
    select category_l1
    from gold_layer.category_brand_days
    group by category_l1
    having sum(revenue) > 0
    order by sum(revenue) desc, category_l1
    limit 6
)

select
    cast(date_trunc('week', category_brand_days.event_date) as date) as week,
    category_brand_days.category_l1,
    cast(sum(category_brand_days.revenue) as decimal(18, 2)) as revenue
from gold_layer.category_brand_days
inner join largest on category_brand_days.category_l1 = largest.category_l1
group by date_trunc('week', category_brand_days.event_date), category_brand_days.category_l1
order by week, category_brand_days.category_l1;

-- name: brand_shares
with

months as (
    select
        cast(date_trunc('month', event_date) as date) as month,
        brand,
        sum(revenue) as revenue
    from gold_layer.category_brand_days
    group by date_trunc('month', event_date), brand
),

shares as (
    select
        month,
        brand,
        cast(revenue as decimal(18, 2)) as revenue,
        revenue / nullif(sum(revenue) over (partition by month), 0) as revenue_share
    from months
),

largest as (
    select brand
    from months
    where brand <> '(none)'
    group by brand
    having sum(revenue) > 0
    order by sum(revenue) desc, brand
    limit 10
)

select
    shares.month,
    shares.brand,
    shares.revenue,
    shares.revenue_share
from shares
inner join largest on shares.brand = largest.brand
where shares.month > (select max(months.month) from months) - interval 12 months
order by shares.brand, shares.month;

-- name: loyalty
select
    category_l2,
    from_brand,
    customers,
    switches,
    from_brand_switches,
    share_of_from_brand
from gold_layer.brand_switching
where is_same_brand and from_brand_switches >= 20
order by share_of_from_brand desc, from_brand, category_l2
limit 15;

-- name: switches
select
    category_l2,
    from_brand,
    to_brand,
    customers,
    switches,
    share_of_from_brand
from gold_layer.brand_switching
where not is_same_brand and from_brand <> '(none)' and to_brand <> '(none)'
order by switches desc, category_l2, from_brand, to_brand
limit 25;
