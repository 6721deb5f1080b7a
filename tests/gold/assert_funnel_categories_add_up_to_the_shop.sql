-- The revenue of a day's categories adds up to the shop's; sessions can touch several categories.
with

days as (

    select
        event_date,
        sum(case when category_l1 = '(all)' then session_revenue else 0 end) as shop_revenue,
        sum(case when category_l1 <> '(all)' then session_revenue else 0 end) as category_revenue
    from {{ ref('conversion_funnel') }}
    group by event_date

)

select * from days
where shop_revenue <> category_revenue
