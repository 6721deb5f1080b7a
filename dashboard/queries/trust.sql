-- Figures of the page Trust.

-- name: totals
select
    (select count(*) from silver_layer.source_files) as files,
    (select coalesce(sum(raw_rows), 0) from silver_layer.source_files) as file_rows,
    (select count(*) from silver_layer.events_cleaned) as clean_events,
    (select count(*) from silver_layer.events_quarantined) as quarantined_rows,
    (
        select count(*)
        from silver_layer.events_quarantined
        where rejection_reason <> 'duplicate'
    ) as rejected_rows;

-- name: reasons
select
    rejection_reason,
    count(*) as number_of_rows
from silver_layer.events_quarantined
group by rejection_reason
order by number_of_rows desc, rejection_reason;

-- name: files
with

rejected as (
    select
        _source_file,
        count(*) filter (where rejection_reason = 'duplicate') as duplicates,
        count(*) filter (where rejection_reason <> 'duplicate') as rejected_rows
    from silver_layer.events_quarantined
    group by _source_file
)

select
    parse_filename(source_files._source_file) as file,
    source_files._ingested_at as ingested_at,
    source_files.raw_rows,
    coalesce(rejected.duplicates, 0) as duplicates,
    coalesce(rejected.rejected_rows, 0) as rejected_rows,
    coalesce(rejected.rejected_rows, 0) / nullif(source_files.raw_rows, 0) as rejected_share,
    count(*) filter (where rejected.rejected_rows > 0) over () as faulty_files,
    count(*) filter (where rejected.duplicates > 0) over () as repeating_files
from silver_layer.source_files
left join rejected on source_files._source_file = rejected._source_file
order by rejected_rows desc, duplicates desc, ingested_at desc, file desc
limit 100;

-- name: marked_days
select
    event_date,
    day_kind,
    events,
    purchases,
    revenue
from gold_layer.daily_sales_summary
where not is_complete
order by event_date desc
limit 60;

-- name: anomalies
select
    event_date,
    day_kind,
    revenue,
    same_weekday_median,
    anomaly_score
from gold_layer.daily_sales_summary
where anomaly_score is not null
order by abs(anomaly_score) desc, event_date
limit 10;

-- name: totals_of_tables
select
    'silver: clean events' as source,
    coalesce(sum(price), 0) as revenue,
    null as orders
from silver_layer.events_cleaned
where event_type = 'purchase'
union all
select
    'daily_sales_summary' as source,
    coalesce(sum(revenue), 0) as revenue,
    sum(orders) as orders
from gold_layer.daily_sales_summary
union all
select
    'customer_metrics' as source,
    coalesce(sum(revenue), 0) as revenue,
    sum(orders) as orders
from gold_layer.customer_metrics
union all
select
    'product_performance' as source,
    coalesce(sum(revenue), 0) as revenue,
    null as orders
from gold_layer.product_performance
union all
select
    'conversion_funnel, (all)' as source,
    coalesce(sum(session_revenue), 0) as revenue,
    sum(sessions_with_purchase) as orders
from gold_layer.conversion_funnel
where category_l1 = '(all)'
union all
select
    'orders' as source,
    coalesce(sum(revenue), 0) as revenue,
    count(*) as orders
from gold_layer.orders
union all
select
    'category_brand_days' as source,
    coalesce(sum(revenue), 0) as revenue,
    null as orders
from gold_layer.category_brand_days;

-- name: runs (optional)
select
    started_at,
    max(case when resource_type = 'run' then node end) as command,
    max(case when resource_type = 'run' then status end) as status,
    max(case when resource_type = 'run' then seconds end) as seconds,
    max(case when resource_type = 'gate' then status end) as gate,
    count(*) filter (where resource_type not in ('run', 'gate') and status = 'success') as built,
    count(*) filter (where resource_type not in ('run', 'gate') and status = 'error') as failed,
    count(*) filter (where resource_type not in ('run', 'gate') and status = 'skipped') as skipped
from silver_layer.run_history
group by invocation_id, started_at
order by started_at desc
limit 30;

-- name: failed_tests (optional)
with

failed as (
    select
        started_at,
        test_name,
        table_name,
        status,
        failures
    from silver_layer.test_history
    where status in ('fail', 'warn', 'error')
),

passed as (
    select
        started_at,
        test_name
    from silver_layer.test_history
    where status = 'pass'
)

select
    failed.started_at,
    failed.test_name,
    failed.table_name,
    failed.status,
    failed.failures,
    min(passed.started_at) as healed_at,
    count(*) over () as all_failures,
    count(*) filter (where min(passed.started_at) is null) over () as open_failures
from failed
left join passed
    on failed.test_name = passed.test_name and failed.started_at < passed.started_at
group by all
order by failed.started_at desc, failed.test_name
limit 50;

-- name: tests (optional)
with

newest as (
    select max(started_at) as started_at
    from silver_layer.test_history
)

select
    newest.started_at,
    count(*) as tests,
    count(*) filter (where test_history.status = 'pass') as passed
from silver_layer.test_history
inner join newest on test_history.started_at = newest.started_at
group by newest.started_at;
