{% macro rfm_segments() -%}
    {#- What makes a buyer one of a segment; var rfm_segments says which of several comes first. -#}
    {%- set is_recent = 'recency_score >= ' ~ var('rfm_recent_min_score') -%}
    {%- set is_silent = 'recency_score <= ' ~ var('rfm_silent_max_score') -%}
    {%- set orders_often = 'frequency_score >= ' ~ var('rfm_high_min_score') -%}
    {%- set spends_much = 'monetary_score >= ' ~ var('rfm_high_min_score') -%}
    {{ return({
        'champion': [is_recent, orders_often, spends_much] | join(' and '),
        'cannot_lose': is_silent ~ ' and (' ~ orders_often ~ ' or ' ~ spends_much ~ ')',
        'frequent_buyer': orders_often,
        'big_spender': spends_much,
        'recent_buyer': is_recent,
        'hibernating': is_silent,
        'needs_attention': 'true',
    }) }}
{%- endmacro %}
