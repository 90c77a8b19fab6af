select
    flights.origin,
    flights.departure_hour,
    count(*) as flights,
    round(avg(flights.departure_delay_minutes), 2) as mean_departure_delay_minutes,
    max(weather.wind_speed_mph) as wind_speed_mph,
    max(weather.precipitation_in) as precipitation_in,
    min(weather.visibility_miles) as visibility_miles
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_weather') }} as weather
    on weather.origin = flights.origin
    and weather.observed_hour = flights.departure_hour
group by flights.origin, flights.departure_hour
