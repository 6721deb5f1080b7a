{{ config(materialized='ephemeral') }}

with

daily_revenue as (
    select * from {{ ref('daily_complete_revenue') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

same_weekdays as (

    -- In cents, whose medians are exact on every engine.
    select
        daily_revenue.event_date,
        cast(earlier.revenue * 100 as double) as cents
    from daily_revenue
    inner join daily_revenue as earlier
        on
            (unix_date(daily_revenue.event_date) - unix_date(earlier.event_date)) % 7 = 0
            and unix_date(daily_revenue.event_date) - unix_date(earlier.event_date)
            between 7 and 7 * {{ var('anomaly_weeks') }}
    where earlier.revenue is not null

),

medians as (

    select
        event_date,
        cast(median(cents) as double) as usual_cents
    from same_weekdays
    group by event_date
    having count(*) >= {{ var('anomaly_min_weeks') }}

),

deviations as (

    select
        medians.event_date,
        medians.usual_cents,
        cast(median(abs(same_weekdays.cents - medians.usual_cents)) as double) as usual_deviation
    from medians
    inner join same_weekdays on medians.event_date = same_weekdays.event_date
    group by medians.event_date, medians.usual_cents

),

daily_anomalies as (

    -- 1.4826 median deviations of normally distributed amounts are one standard deviation.
    select
        deviations.event_date,
        {{ money_average('deviations.usual_cents', '100') }} as same_weekday_median,
        case
            when deviations.usual_deviation > 0 then
                (cast(coalesce(daily_traffic.revenue, 0) * 100 as double) - deviations.usual_cents)
                / (1.4826 * deviations.usual_deviation)
        end as anomaly_score
    from deviations
    left join daily_traffic on deviations.event_date = daily_traffic.event_date

)

select * from daily_anomalies
