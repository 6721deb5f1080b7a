{{ metric_view('funnel', ref('conversion_funnel')) }}
