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
                audited.request_params['full_name_arg']
            )
        ) as object_name,
        audited.request_params['targetGroupName'] as group_name
    from system.access.audit as audited
    where
        audited.event_date >= date_sub(current_date(), {{ var('audit_days') }})
        and audited.response.status_code = 200

),

privilege_changes as (

    select
        event_id,
        event_date,
        event_time,
        changed_by,
        source_ip_address,
        action_name,
        coalesce(request_params['securable_type'], 'GROUP') as object_type,
        coalesce(object_name, group_name) as object_name,
        coalesce(request_params['changes'], request_params['targetUserName']) as changed_what
    from actions
    where
        (
            service_name = 'unityCatalog'
            and action_name = 'updatePermissions'
            and (
                object_name = '{{ target.database }}'
                or startswith(object_name, '{{ target.database }}.')
            )
        )
        -- Whoever joins a group gets what it was granted, and sees what its masks let through.
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
