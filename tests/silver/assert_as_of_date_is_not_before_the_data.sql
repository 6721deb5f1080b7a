-- An as_of_date before the newest event would make recency negative. A test of events_cleaned
-- alone, because all that counts events depends on it: dbt builds none of that where the test
-- fails, and new files are read by then, which they are not when a run starts.
with

newest as (

    select max(event_date) as newest_event_date
    from {{ ref('events_cleaned') }}

)

select * from newest
where
    {% if var('as_of_date') %}
        -- An error says what a number of rows does not.
        case
            when newest_event_date > cast('{{ var("as_of_date") }}' as date)
                then raise_error(concat(
                    'var as_of_date is {{ var("as_of_date") }}, before the newest event, of ',
                    cast(newest_event_date as string),
                    ': set it to that day or a later one, or to null, then build again'
                ))
        end is not null
    {% else %}
        false
    {% endif %}
