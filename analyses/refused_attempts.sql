with

attempts as (

    select
        audited.event_date,
        audited.event_time,
        audited.user_identity.email as principal,
        audited.source_ip_address,
        audited.action_name,
        audited.response.error_message,
        -- Each action has its own name for what it acts on.
        lower(
            coalesce(
                audited.request_params['full_name_arg'],
                audited.request_params['table_full_name'],
                audited.request_params['securable_full_name'],
                audited.request_params['volume_full_name'],
                audited.request_params['name_arg']
            )
        ) as object_name
    from system.access.audit as audited
    where
        audited.event_date >= date_sub(current_date(), {{ var('audit_days') }})
        and audited.service_name = 'unityCatalog'
        and audited.response.status_code in (401, 403)

),

refused_attempts as (

    select
        event_date,
        principal,
        action_name,
        object_name,
        count(*) as attempts,
        count(distinct source_ip_address) as addresses,
        min(event_time) as first_attempt_at,
        max(event_time) as last_attempt_at,
        max(error_message) as error_message
    from attempts
    where
        object_name = '{{ target.database }}'
        or startswith(object_name, '{{ target.database }}.')
    group by event_date, principal, action_name, object_name

)

select * from refused_attempts
order by event_date desc, attempts desc, principal asc, action_name asc, object_name asc
