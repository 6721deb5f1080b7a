case
    when
        is_account_group_member('ecommerce_pipeline')
        or is_account_group_member('ecommerce_platform_admins')
        or is_account_group_member('ecommerce_data_engineers')
        or is_account_group_member('ecommerce_data_scientists')
        then user_id
end
