-- A product's periods are contiguous; the last one is open, and it alone is current.
with

ordered as (

    select
        product_id,
        valid_to,
        is_current,
        lead(valid_from) over (partition by product_id order by valid_from) as next_valid_from
    from {{ ref('product_history') }}

)

select * from ordered
where
    valid_to is distinct from next_valid_from
    or is_current <> (next_valid_from is null)
