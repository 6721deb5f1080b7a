-- Each mart has as many rows as there are users, products or calendar days.
with

counted as (

    select
        'customer_metrics' as mart,
        (select count(*) from {{ ref('customer_metrics') }}) as mart_rows,
        (select count(distinct user_id) from {{ ref('events_cleaned') }}) as expected_rows

    union all

    select
        'product_performance' as mart,
        (select count(*) from {{ ref('product_performance') }}) as mart_rows,
        (select count(distinct product_id) from {{ ref('events_cleaned') }}) as expected_rows

    union all

    select
        'daily_sales_summary' as mart,
        (select count(*) from {{ ref('daily_sales_summary') }}) as mart_rows,
        coalesce(
            (
                select unix_date(max(event_date)) - unix_date(min(event_date)) + 1
                from {{ ref('events_cleaned') }}
            ), 0
        ) as expected_rows

    union all

    select
        'conversion_funnel' as mart,
        (
            select count(*) from {{ ref('conversion_funnel') }}
            where category_l1 = '(all)'
        ) as mart_rows,
        (select count(*) from {{ ref('daily_sales_summary') }}) as expected_rows

)

select * from counted
where mart_rows <> expected_rows
