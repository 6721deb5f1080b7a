{{ metric_view('quarantine', ref('events_quarantined')) }}
