case
    when
        is_account_group_member('ecommerce_pipeline')
        or is_account_group_member('ecommerce_platform_admins')
        or is_account_group_member('ecommerce_data_engineers')
        then personal_text
end
