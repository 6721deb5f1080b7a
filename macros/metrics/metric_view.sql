{#- Metric views of Databricks, from the definitions that MetricFlow reads: one for each semantic
    model, with the metrics that need nothing else. -#}

{% macro metric_view(name, relation) -%}
    {#- The graph has no metrics at parse time. -#}
    {%- if execute -%}
        {%- set model = graph.semantic_models.values()
            | selectattr('name', 'equalto', name) | first -%}
        {%- set dimensions, measures = [], [] -%}
        {%- for dimension in model.dimensions -%}
            {%- set expression = dimension.expr or dimension.name -%}
            {%- do dimensions.append({'name': dimension.name, 'expr':
                "date_trunc('day', " ~ expression ~ ')' if dimension.type == 'time'
                else expression}) -%}
        {%- endfor -%}
        {%- for metric in graph.metrics.values() | sort(attribute='name') -%}
            {%- set sql = metric_sql(metric, model) -%}
            {%- if sql -%}
                {%- do measures.append({
                    'name': metric.name, 'expr': sql, 'display_name': metric.label,
                    'comment': metric.description | trim,
                }) -%}
            {%- endif -%}
        {%- endfor -%}
        {{ toyaml({
            'version': '1.1',
            'source': [relation.database, relation.schema, relation.identifier] | join('.'),
            'comment': model.description, 'dimensions': dimensions, 'measures': measures,
        }, sort_keys=false) }}
    {%- endif -%}
{%- endmacro %}

{% macro metric_sql(metric, model) -%}
    {%- set sql, inputs = namespace(text=none), metric.type_params -%}
    {%- if metric.type == 'simple' -%}
        {%- for measure in model.measures if measure.name == inputs.measure.name -%}
            {%- set value = measure.expr or measure.name -%}
            {%- set sql.text = 'count(distinct ' ~ value ~ ')' if measure.agg == 'count_distinct'
                else measure.agg ~ '(' ~ value ~ ')' -%}
            {%- for condition in (metric.filter or {}).where_filters or [] -%}
                {%- set sql.text = sql.text ~ ' filter (where '
                    ~ condition_sql(condition.where_sql_template, model) ~ ')' -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- else -%}
        {%- set parts, is_here = {}, namespace(all=true) -%}
        {%- for input in inputs.metrics or [inputs.numerator, inputs.denominator] -%}
            {%- set part = metric_sql(
                graph.metrics.values() | selectattr('name', 'equalto', input.name) | first, model
            ) -%}
            {%- set is_here.all = is_here.all and part and not input.offset_window -%}
            {%- do parts.update({input.alias or input.name: part}) -%}
        {%- endfor -%}
        {%- if is_here.all and metric.type == 'ratio' -%}
            {%- set sql.text = 'cast(' ~ parts[inputs.numerator.name]
                ~ ' as double) / nullif(' ~ parts[inputs.denominator.name] ~ ', 0)' -%}
        {%- elif is_here.all -%}
            {%- set words = [] -%}
            {%- for word in modules.re.split('(\\w+)', inputs.expr) -%}
                {%- do words.append('(' ~ parts[word] ~ ')' if word in parts else word) -%}
            {%- endfor -%}
            {%- set sql.text = words | join -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(sql.text) }}
{%- endmacro %}

{% macro condition_sql(template, model) -%}
    {%- set sql = namespace(text=template) -%}
    {%- for dimension in model.dimensions -%}
        {%- set sql.text = modules.re.sub(
            "[{][{] *Dimension[(]'\\w+__" ~ dimension.name ~ "'[)] *[}][}]",
            dimension.expr or dimension.name, sql.text
        ) -%}
    {%- endfor -%}
    {{ return(sql.text) }}
{%- endmacro %}
