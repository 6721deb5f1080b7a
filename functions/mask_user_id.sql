case
    when {{ is_in_any_group([
        'ecommerce_pipeline',
        'ecommerce_platform_admins',
        'ecommerce_data_engineers',
        'ecommerce_data_scientists',
    ]) }}
        then user_id
end
