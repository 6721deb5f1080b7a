{{ config(materialized='ephemeral') }}

with

daily_surroundings as (
    select * from {{ ref('daily_surroundings') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

daily_pauses as (
    select * from {{ ref('daily_pauses') }}
),

compared as (

    -- Shares of what is usual; without surroundings they are null, and nothing is unusual.
    select
        daily_surroundings.*,
        daily_pauses.missed_events,
        daily_traffic.event_date is null as is_empty,
        daily_traffic.events / daily_surroundings.usual_events as events_share,
        case
            when daily_surroundings.usual_purchases >= {{ var('incomplete_day_min_purchases') }}
                then daily_traffic.purchases / daily_surroundings.usual_purchases
        end as purchases_share,
        case
            when daily_pauses.missed_events >= {{ var('incomplete_day_pause_min_events') }}
                then daily_pauses.missed_events / daily_surroundings.usual_events
        end as missed_share
    from daily_surroundings
    left join daily_traffic on daily_surroundings.event_date = daily_traffic.event_date
    left join daily_pauses on daily_surroundings.event_date = daily_pauses.event_date

),

judged as (

    select
        *,
        is_empty
        or coalesce(events_share < {{ var('incomplete_day_share') }}, false)
        or coalesce(purchases_share < {{ var('incomplete_day_share') }}, false)
        or coalesce(missed_share > {{ var('incomplete_day_pause_share') }}, false)
            as is_incomplete,
        coalesce(events_share > {{ var('catch_up_day_factor') }}, false)
        or coalesce(purchases_share > {{ var('catch_up_day_factor') }}, false) as is_elevated
    from compared

),

sequenced as (

    select
        *,
        max(case when is_incomplete then event_date end) over (
            order by event_date
        ) as last_incomplete_date,
        max(case when not is_incomplete and not is_elevated then event_date end) over (
            order by event_date
        ) as last_ordinary_date
    from judged

),

daily_completeness as (

    -- What an outage held back arrives on the days after it, until the first ordinary one.
    select
        event_date,
        is_left_censored,
        usual_events,
        usual_purchases,
        missed_events,
        case
            when is_incomplete then 'incomplete'
            when
                is_elevated
                and last_incomplete_date > coalesce(last_ordinary_date, date '1970-01-01')
                then 'catch_up'
            else 'complete'
        end as day_kind
    from sequenced

)

select * from daily_completeness
