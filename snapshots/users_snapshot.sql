{% snapshot users_snapshot %}

    select
        users_dim.user_id,
        users_dim.user_segment,
        users_dim.first_seen_at,
        users_dim.last_seen_at,
        users_dim.first_order_at,
        users_dim.last_purchase_at,
        users_dim.first_order_session_id,
        users_dim.sessions,
        users_dim.purchases,
        users_dim.orders,
        users_dim.revenue
    from {{ ref('users_dim') }} as users_dim
    where {{ differs_from_stored(
        'users_dim', 'user_id', ['user_segment'], stored_where='stored.dbt_valid_to is null'
    ) }}

{% endsnapshot %}
