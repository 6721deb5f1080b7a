{{ metric_view('visitors', ref('user_daily_activity')) }}
