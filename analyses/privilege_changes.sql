with

actions as (

    select
        audited.event_id,
        audited.event_date,
        audited.event_time,
        audited.user_identity.email as changed_by,
        audited.source_ip_address,
        audited.service_name,
        audited.action_name,
        audited.request_params,
        lower(
            coalesce(
                audited.request_params['securable_full_name'],
                audited.request_params['full_name_arg'],
                -- A function that is created has no full name yet.
                get_json_object(audited.request_params['function_info'], '$.catalog_name')
                || '.' || get_json_object(audited.request_params['function_info'], '$.schema_name')
                || '.' || get_json_object(audited.request_params['function_info'], '$.name')
            )
        ) as object_name,
        audited.request_params['targetGroupName'] as group_name
    from system.access.audit as audited
    where
        audited.event_date >= date_sub(current_date(), {{ var('audit_days') }})
        and audited.response.status_code = 200

),

placed as (

    select
        *,
        object_name = '{{ target.database }}'
        or startswith(object_name, '{{ target.database }}.') as is_ours
    from actions

),

privilege_changes as (

    select
        event_id,
        event_date,
        event_time,
        changed_by,
        source_ip_address,
        action_name,
        case
            when service_name = 'accounts' then 'GROUP'
            when action_name = 'updateTables' then 'TABLE'
            else coalesce(request_params['securable_type'], 'FUNCTION')
        end as object_type,
        coalesce(object_name, group_name) as object_name,
        coalesce(
            request_params['changes'],
            request_params['targetUserName'],
            request_params['function_info']
        ) as changed_what
    from placed
    where
        (service_name = 'unityCatalog' and action_name = 'updatePermissions' and is_ours)
        -- A principal that replaces a policy function decides what every mask lets through. The log
        -- may hide its name from all but account admins, so a function without a name counts.
        or (
            service_name = 'unityCatalog'
            and action_name in ('createFunction', 'updateFunction', 'deleteFunction')
            and coalesce(is_ours, true)
        )
        -- Masks and filters come and go by ALTER TABLE. dbt alters tables on every run, as a
        -- service principal, which has no email.
        or (
            service_name = 'unityCatalog'
            and action_name = 'updateTables'
            and is_ours
            and contains(changed_by, '@')
        )
        -- A new member of a group gets its grants, and sees what its masks let through.
        or (
            service_name = 'accounts'
            and action_name in (
                'addPrincipalToGroup', 'addPrincipalsToGroup', 'removePrincipalFromGroup'
            )
            and startswith(group_name, 'ecommerce_')
        )

)

select * from privilege_changes
order by event_time desc, event_id asc
