{% snapshot users_snapshot %}

{#- Of millions of users a run touches few. Who never ordered and has no new event is a prospect, as
    before; all others are compared with their newest row. -#}
select users_dim.* from {{ ref('users_dim') }} as users_dim
{% if execute and not flags.FULL_REFRESH and load_relation(this) is not none %}
    left join {{ this }} as kept
        on
            users_dim.user_id = kept.user_id
            and kept.dbt_valid_to is null
            and kept.user_segment <> 'prospect'
    where
        users_dim._updated_at > (
            select coalesce(max(_updated_at), cast('1970-01-01' as timestamp)) from {{ this }}
        )
        or (
            users_dim.user_segment <> 'prospect'
            and users_dim.user_segment is distinct from kept.user_segment
        )
{% endif %}

{% endsnapshot %}
