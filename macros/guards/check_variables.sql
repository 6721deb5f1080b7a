{% macro check_variables() -%}
    {#- A var of the wrong type would do its harm late and far away, as a list of single letters or a
        text compared with a number: it is refused while dbt parses. -#}
    {%- set types = {
        'a whole number above 0': [
            'audit_days', 'check_hours', 'churn_after_days', 'churn_medium_risk_after_days',
            'incomplete_day_min_purchases',
            'incomplete_day_window_days', 'segment_at_risk_after_days', 'segment_loyal_min_orders',
            'segment_new_within_days', 'segment_vip_min_orders', 'session_gap_minutes',
        ],
        'a number of 0 or more': ['clv_min_repeat_buyers', 'gate_max_lag_minutes'],
        'a number above 0': ['highest_price', 'segment_vip_min_revenue'],
        'a share from 0 to 1': [
            'gate_max_quarantined_share', 'incomplete_day_share', 'pareto_a_share',
            'pareto_b_share',
        ],
        'a date, yyyy-mm-dd': ['as_of_date', 'earliest_event_date'],
        'a list of four numbers': [
            'rfm_frequency_orders', 'rfm_monetary_revenue', 'rfm_recency_days',
        ],
        'a list of distinct lower-case names': ['event_types', 'product_states', 'user_segments'],
        'true or false': ['declarative', 'policies', 'published_figures'],
    } -%}
    {%- set optional = ['as_of_date', 'check_hours', 'session_gap_minutes'] -%}
    {%- for type, names in types.items() -%}
        {%- for name in names if not is_of_type(var(name), type)
            and not (var(name) is none and name in optional) -%}
            {%- do refuse_variable(name, 'must be ' ~ type) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for segment in var('user_segments') if segment not in user_segments() -%}
        {%- do refuse_variable(
            'user_segments', 'names ' ~ segment ~ ', which macro user_segments does not define'
        ) -%}
    {%- endfor -%}
    {%- for name, needed in [
        ('event_types', event_count_names()), ('user_segments', ['prospect', 'regular']),
    ] -%}
        {%- for item in needed if item not in var(name) -%}
            {%- do refuse_variable(name, 'must name ' ~ item) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro is_of_type(value, type) -%}
    {%- set is_number = value is number and value is not boolean -%}
    {%- set is_list = value is iterable and value is not string and value is not mapping -%}
    {%- if type == 'true or false' -%} {{ return(value is boolean) }}
    {%- elif type == 'a whole number above 0' -%}
        {{ return(is_number and value is integer and value > 0) }}
    {%- elif type == 'a number of 0 or more' -%} {{ return(is_number and value >= 0) }}
    {%- elif type == 'a number above 0' -%} {{ return(is_number and value > 0) }}
    {%- elif type == 'a share from 0 to 1' -%} {{ return(is_number and 0 <= value <= 1) }}
    {%- elif type == 'a date, yyyy-mm-dd' -%}
        {%- set date = '\\d{4}-(0[1-9]|1[0-2])-([0-2]\\d|3[01])' -%}
        {{ return(modules.re.fullmatch(date, value | string) is not none) }}
    {%- elif type == 'a list of four numbers' -%}
        {{ return(is_list and value | length == 4 and value | select('number') | list == value) }}
    {%- else -%}
        {%- set names = '[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*' -%}
        {{ return(
            is_list and value | unique | list == value | list and value | length > 0
            and modules.re.fullmatch(names, value | join(',')) is not none
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro refuse_variable(name, fault) -%}
    {{ exceptions.raise_compiler_error(
        'var ' ~ name ~ ' ' ~ fault ~ '; it is ' ~ tojson(var(name), var(name) | string)
        ~ ': correct it in dbt_project.yml or on the command line'
    ) }}
{%- endmacro %}
