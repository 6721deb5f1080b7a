{#- An update replaces all sessions of a user and part together: any text that follows from the
    tracker's session id would do, and its 36 characters cost a sixth of the sessions' bytes. Of a
    UUID, one in 4,096 ids has the same end. -#}

{% macro tracker_part(user_session='user_session') -%}
    right({{ user_session }}, 3)
{%- endmacro %}
