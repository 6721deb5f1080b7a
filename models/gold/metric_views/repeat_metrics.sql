{{ metric_view('customers', ref('customer_metrics')) }}
