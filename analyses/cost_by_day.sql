with

jobs as (

    -- Tags of a serverless job are with the job, not with what is billed; a row per change of it.
    select
        workspace_id,
        job_id,
        name,
        tags,
        row_number() over (partition by workspace_id, job_id order by change_time desc)
            as newest_first
    from system.lakeflow.jobs

),

tagged_usage as (

    select
        billed.usage_date,
        billed.usage_end_time,
        billed.cloud,
        billed.sku_name,
        billed.usage_unit,
        billed.usage_quantity,
        coalesce(billed.custom_tags['project'], jobs.tags['project']) as project,
        coalesce(billed.custom_tags['environment'], jobs.tags['environment']) as environment,
        coalesce(
            jobs.name, 'warehouse ' || billed.usage_metadata.warehouse_id, billed.sku_name
        ) as spent_by
    from system.billing.usage as billed
    left join jobs
        on
            billed.workspace_id = jobs.workspace_id
            and billed.usage_metadata.job_id = jobs.job_id
            and jobs.newest_first = 1
    where billed.usage_date >= date_sub(current_date(), {{ var('audit_days') }})

),

cost_by_day as (

    -- Corrections are rows of their own, some of them negative: the sum is what counts.
    select
        tagged_usage.usage_date,
        tagged_usage.environment,
        tagged_usage.spent_by,
        tagged_usage.usage_unit,
        prices.currency_code,
        sum(tagged_usage.usage_quantity) as usage_quantity,
        sum(tagged_usage.usage_quantity * cast(prices.pricing.effective_list.default as double))
            as list_cost
    from tagged_usage
    left join system.billing.list_prices as prices
        on
            tagged_usage.cloud = prices.cloud
            and tagged_usage.sku_name = prices.sku_name
            and tagged_usage.usage_unit = prices.usage_unit
            and tagged_usage.usage_end_time >= prices.price_start_time
            and (
                prices.price_end_time is null
                or tagged_usage.usage_end_time < prices.price_end_time
            )
    where tagged_usage.project = 'ecommerce_analytics'
    group by
        tagged_usage.usage_date,
        tagged_usage.environment,
        tagged_usage.spent_by,
        tagged_usage.usage_unit,
        prices.currency_code

)

select * from cost_by_day
order by usage_date desc, list_cost desc, spent_by asc
