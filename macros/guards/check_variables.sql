{% macro check_variables() -%}
    {#- A var of the wrong type would do its harm late and far away, as a list of single letters or
        a text compared with a number: it is refused while dbt parses. Values are matched as JSON. -#}
    {%- set number = '[0-9]+([.][0-9]+)?(e[-+][0-9]+)?' -%}
    {%- set share = '(0([.][0-9]+)?|1([.]0)?|[0-9.]+e-[0-9]+)' -%}
    {%- set forms = {
        'a whole number above 0': '[1-9][0-9]{0,8}',
        'a number of 0 or more': number,
        'a number above 0': '(?=[0-9.]*[1-9])' ~ number,
        'a share from 0 to 1': share,
        'a share from 0 to 1, or one by target and a default':
        share ~ '|{(?=.*"default": )("[a-z]+": ' ~ share ~ '(, (?!})|(?=})))+}',
        'a date, yyyy-mm-dd': '("?)(?!....-(0[2469]|11)-31|....-02-30|.{8}00'
            ~ '|..([02468][1235679]|[13579][01345789])-02-29)'
            ~ '[0-9]{4}-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])\\1',
        'a list of four numbers': '\\[(' ~ number ~ ', ){3}' ~ number ~ ']',
        'a list of distinct lower-case names':
        '(?!.*("[a-z0-9_]+").*\\1)\\[("[a-z][a-z0-9_]*"(, (?!])|(?=])))+]',
        'a list of lower-case words without quotes':
        '\\[("(?! )([^"\\x27A-Z\\\\]|\\\\[^"])+(?<! )"(, (?!])|(?=])))*]',
        'a text without quotes or backslashes': '"([^"\\x27\\\\]|\\\\[^"\\\\])+"',
        'true or false': 'true|false',
    } -%}
    {%- for type, names in var('types').items() -%}
        {%- for name in names
            if not modules.re.fullmatch(forms[type], json_of(var(name)))
            and not (var(name) is none and name in var('null_allowed')) -%}
            {%- do refuse_variable(name, 'must be ' ~ type) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for name, needed, defined in [
        ('event_types', event_count_names(), var('event_types')),
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
