select
    concat_ws('|', to_char(time_hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24'), carrier, flight) as flight_key,
    time_hour as departure_hour,
    make_date(year::int, month::int, day::int) as flight_date,
    carrier,
    flight::int as flight_number,
    tailnum as tail_number,
    origin,
    dest as destination,
    dep_time::int as departure_time_hhmm,
    sched_dep_time::int as scheduled_departure_hhmm,
    dep_delay::numeric as departure_delay_minutes,
    arr_time::int as arrival_time_hhmm,
    sched_arr_time::int as scheduled_arrival_hhmm,
    arr_delay::numeric as arrival_delay_minutes,
    air_time::numeric as air_time_minutes,
    distance::numeric as distance_miles,
    dep_time is null as is_cancelled
from {{ source('raw', 'flights') }}
