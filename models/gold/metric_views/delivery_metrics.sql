{{ metric_view('deliveries', ref('source_files')) }}
