select
    origin,
    time_hour as observed_hour,
    temp::numeric as temperature_f,
    dewp::numeric as dew_point_f,
    humid::numeric as relative_humidity,
    wind_dir::numeric as wind_direction_degrees,
    wind_speed::numeric as wind_speed_mph,
    wind_gust::numeric as wind_gust_mph,
    precip::numeric as precipitation_in,
    pressure::numeric as pressure_mbar,
    visib::numeric as visibility_miles
from {{ source('raw', 'weather') }}
