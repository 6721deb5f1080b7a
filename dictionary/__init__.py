"""The data dictionary: what every table and column means, where it comes from and what it feeds.

`make run` ends with `dictionary.json` in the home (`project.home.dictionary_path`), in UTF-8. The
same code and data always give the same file. Its shape is that of the classes in
`dictionary.entries`, where each field is explained:

```
{
  "format": 1,
  "project": "ecommerce_analytics",
  "coverage": {"columns": 525, "with_sources": 490, "of_rows": 17, "gold_columns": 152, ...},
  "tables": [                                   one per model, snapshot and source, gold first
    {
      "name": "orders", "layer": "gold", "schema": "gold_layer", "kind": "incremental",
      "is_stored": true,                        false: an ephemeral model, part of others
      "grain": "One row per order, ...", "description": "One row per order, ... their first?",
      "key": ["session_id"], "row_of": null, "owner": "", "rows": 1280,
      "tests": ["`products <= units`", ...],    in words; those of one column are with the column
      "rules": ["Main category and brand have the most revenue. Revenue over ...", ...],
      "upstream": ["order_lines", "sessions"], "downstream": [],    stored tables
      "row_sources": ["sessions.is_order"],     columns of filters and joins
      "pages": ["dashboard_sales"],             exposures that read the table
      "lineage": "columns",                     or "table", with the reason in `lineage_note`
      "lineage_note": "", "sql": "d2a84f4b8b65",
      "columns": [
        {
          "name": "revenue", "type": "decimal(18,2)", "description": "...", "is_personal": false,
          "adds_up_over": ["session_id"], "additivity": "Adds up over all rows.",
          "tests": ["never null", "at least 0.01"],
          "lineage": "columns", "lineage_note": "", "is_copy": true,
          "comes_from": ["sessions.revenue"],     of stored tables; "sessions.*": its rows
          "feeds": []
        }
      ]
    }
  ],
  "pages": [{"name": "dashboard_sales", "label": "Sales", "kind": "dashboard", "url": "",
             "description": "...", "owner": "", "tables": ["daily_sales_summary"]}]
}
```

From Python: `dictionary.entries.read(path)`.
"""
