-- Where do sessions begin, and where do they end?
with

ends as (

    select
        case when from_category_l1 = '(entry)' then to_category_l1 else from_category_l1 end
            as category_l1,
        case when from_category_l1 = '(entry)' then steps else 0 end as entries,
        case when to_category_l1 = '(exit)' then steps else 0 end as exits
    from {{ ref('session_steps') }}

)

select
    category_l1,
    sum(entries) as entries,
    sum(exits) as exits,
    round(cast(sum(entries) as double) / sum(sum(entries)) over (), 3) as share_of_entries,
    round(cast(sum(exits) as double) / sum(sum(exits)) over (), 3) as share_of_exits
from ends
group by category_l1
order by entries desc, category_l1 asc
