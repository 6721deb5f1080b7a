-- Each cart event is on one line, of which each is bought, removed or abandoned, and the abandoned
-- ones are the mart. Sessions with a line are those with a cart event.
with

lines as (

    select
        count(*) as cart_lines,
        count(*) filter (where outcome in ('bought', 'removed')) as closed_lines,
        coalesce(sum(carts), 0) as carts,
        count(distinct session_id) as sessions
    from {{ ref('cart_lines') }}

),

marts as (

    select
        (select count(*) from {{ ref('abandoned_carts') }}) as abandoned_lines,
        (select coalesce(sum(carts), 0) from {{ ref('daily_sales_summary') }}) as shop_carts,
        (
            select coalesce(sum(sessions_with_cart), 0) from {{ ref('conversion_funnel') }}
            where category_l1 = '(all)'
        ) as shop_sessions

)

select
    lines.*,
    marts.*
from lines
cross join marts
where
    lines.cart_lines <> lines.closed_lines + marts.abandoned_lines
    or lines.carts <> marts.shop_carts
    or lines.sessions <> marts.shop_sessions
