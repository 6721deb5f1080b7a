{% snapshot users_snapshot %}

{#- Of millions of users a run touches few; the others can change their segment only when the as-of
    date moves or a threshold changes. Those of the newest period: an earlier run may have had later
    ones. -#}
select * from {{ ref('users_dim') }}
{% if execute and not flags.FULL_REFRESH and load_relation(this) is not none %}
    where
        _updated_at > (select max(_updated_at) from {{ this }})
        or as_of_date is distinct from (select max_by(as_of_date, dbt_valid_from) from {{ this }})
        or _rules is distinct from (select max_by(_rules, dbt_valid_from) from {{ this }})
{% endif %}

{% endsnapshot %}
