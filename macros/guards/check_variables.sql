{% macro check_variables() -%}
    {#- A var of the wrong type would do its harm late and far away, as a list of single letters or
        a text compared with a number: it is refused while dbt parses. Values are matched as JSON. -#}
    {%- set known = var('types').values() | sum(start=[]) -%}
    {%- for name in invocation_args_dict.get('vars', {}) if name not in known -%}
        {{ exceptions.raise_compiler_error(
            'no var is called ' ~ name ~ ': correct the name on the command line; dbt_project.yml'
            ~ ' lists all below `types`'
        ) }}
    {%- endfor -%}
    {%- for type, names in var('types').items() -%}
        {%- for name in names
            if not modules.re.fullmatch(var('forms')[type], json_of(var(name)))
            and not (var(name) is none and name in var('null_allowed')) -%}
            {%- do refuse_variable(name, 'must be ' ~ type) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for order, lists in [('rising', var('rising')), ('falling', var('falling'))] -%}
        {%- for names in lists -%}
            {%- set values = [] -%}
            {%- for name in names -%}
                {%- do values.extend([var(name)] if var(name) is number else var(name)) -%}
            {%- endfor -%}
            {%- if values != values | sort(reverse=order == 'falling') -%}
                {%- do refuse_variable(names | last, 'must be ' ~ order
                    ~ (' after ' ~ names | first if names | length > 1 else '')) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {#- Its form is not enough: engines disagree on what they do with a name that they do not know. -#}
    {%- if var('shop_time_zone') not in modules.pytz.all_timezones -%}
        {%- do refuse_variable('shop_time_zone', 'must be a time zone of the tz database') -%}
    {%- endif -%}
    {%- for name, needed, defined in [
        ('event_types', event_count_names(), var('event_types')),
        ('rfm_segments', ['needs_attention'], rfm_segments()),
        ('user_segments', ['prospect', 'regular'], user_segments()),
    ] -%}
        {%- for item in var(name) if item not in defined -%}
            {%- do refuse_variable(name, 'names ' ~ item ~ ', which no macro defines') -%}
        {%- endfor -%}
        {%- for item in needed if item not in var(name) -%}
            {%- do refuse_variable(name, 'must name ' ~ item) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro refuse_variable(name, fault) -%}
    {{ exceptions.raise_compiler_error(
        'var ' ~ name ~ ' ' ~ fault ~ '; it is ' ~ json_of(var(name))
        ~ ': correct it in dbt_project.yml or on the command line'
    ) }}
{%- endmacro %}

{% macro json_of(value) -%}
    {#- YAML reads an unquoted date as one, which JSON does not have. -#}
    {{ return(tojson(value | string if value.year is defined else value)) }}
{%- endmacro %}
