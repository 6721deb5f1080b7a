{{ metric_view('sales', ref('daily_sales_summary')) }}
