{{ config(materialized='view') }}

{#- Every table with a policy is built on this view, and its functions must exist before. -#}
{%- do function('mask_user_id') -%}
{%- do function('mask_personal_text') -%}
{%- do function('sees_segment') -%}

with

raw_events as (
    select * from {{ raw_events() }}
),

{{ staged_events('raw_events') }}

select * from judged
