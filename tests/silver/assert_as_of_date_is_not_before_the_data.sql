-- An as_of_date before the newest event makes recency negative: set it later, or to null.
with

newest as (

    select
        {{ as_of_date() }} as as_of_date,
        max(last_seen_at) as newest_event
    from {{ ref('users_dim') }}

)

select * from newest
where as_of_date < cast(newest_event as date)
