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
                audited.request_params['name_arg'],
                audited.request_params['on_securable_fullname'],
                audited.request_params['entity_name'],
                get_json_object(audited.request_params['tag_assignment'], '$.entity_name'),
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

-- The pipeline owns what dbt creates.
owners as (

    select distinct table_owner
    from system.information_schema.tables
    where table_catalog = '{{ target.database }}'

),

placed as (

    select
        actions.*,
        actions.object_name = '{{ target.database }}'
        or startswith(actions.object_name, '{{ target.database }}.') as is_ours,
        owners.table_owner is not null and not contains(actions.changed_by, '@') as is_pipeline
    from actions
    left join owners on actions.changed_by = owners.table_owner

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
            when endswith(action_name, 'Policy') then 'POLICY'
            when endswith(action_name, 'EntityTagAssignment') then 'TAG'
            when action_name = 'updateTables' then 'TABLE'
            when action_name = 'updateSchema' then 'SCHEMA'
            when action_name = 'updateCatalog' then 'CATALOG'
            else coalesce(request_params['securable_type'], 'FUNCTION')
        end as object_type,
        coalesce(object_name, group_name) as object_name,
        coalesce(
            request_params['changes'],
            request_params['targetUserName'],
            request_params['function_info'],
            request_params['policy_info'],
            request_params['tag_assignment'],
            request_params['owner'],
            request_params['name'],
            request_params['tag_key']
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
        -- Masks and filters come and go by ALTER TABLE. dbt alters tables on every run, as the
        -- service principal that owns them; a new owner may drop a mask, and is always listed.
        or (
            service_name = 'unityCatalog'
            and action_name in ('updateTables', 'updateSchema', 'updateCatalog')
            and is_ours
            and (
                request_params['owner'] is not null
                or (action_name = 'updateTables' and not is_pipeline)
            )
        )
        -- A policy, or the tag that it matches by, decides what its columns show.
        or (
            service_name = 'unityCatalog'
            and action_name in (
                'createPolicy', 'updatePolicy', 'deletePolicy', 'createEntityTagAssignment',
                'updateEntityTagAssignment', 'deleteEntityTagAssignment'
            )
            and is_ours
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
