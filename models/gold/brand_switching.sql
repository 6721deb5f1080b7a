with

pairs as (

    -- A brand that is not known is neither kept nor changed.
    select
        *,
        case
            when previous_brand <> '(none)' and brand <> '(none)' then previous_brand = brand
        end as is_same_brand
    from {{ ref('brand_purchases') }}
    where previous_brand is not null

),

counted as (

    select
        category_l1,
        category_l2,
        previous_brand as from_brand,
        brand as to_brand,
        is_same_brand,
        count(distinct user_id) as customers,
        count(*) as switches
    from pairs
    group by category_l1, category_l2, previous_brand, brand, is_same_brand

),

totaled as (

    select
        *,
        cast(
            sum(case when is_same_brand is null then 0 else switches end) over (
                partition by category_l1, category_l2, from_brand
            ) as bigint
        ) as from_brand_switches
    from counted

),

brand_switching as (

    select
        *,
        case
            when is_same_brand is not null then {{ rate('switches', 'from_brand_switches') }}
        end as share_of_from_brand
    from totaled

)

select * from brand_switching
