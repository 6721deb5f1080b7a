with

visits_of_categories as (

    select
        session_date,
        to_category_l1 as category_l1,
        steps as visits
    from {{ ref('session_moves') }}

    union all

    select
        session_date,
        from_category_l1 as category_l1,
        -steps as visits
    from {{ ref('session_moves') }}
    where from_category_l1 <> '(entry)'

),

session_steps as (

    select
        session_date,
        from_category_l1,
        to_category_l1,
        steps
    from {{ ref('session_moves') }}

    union all

    -- A visit of a category that does not go on to another one ends the session.
    select
        session_date,
        category_l1 as from_category_l1,
        '(exit)' as to_category_l1,
        cast(sum(visits) as bigint) as steps
    from visits_of_categories
    group by session_date, category_l1
    having sum(visits) > 0

)

select * from session_steps
