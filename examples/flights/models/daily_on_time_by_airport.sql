-- Destinations that the airport list lacks stay in, without a name: a gap in the data, not an error.
select
    flights.flight_date,
    flights.destination,
    airports.airport_name,
    count(*) as flights,
    count(*) filter (where flights.is_cancelled) as cancelled,
    round(count(*) filter (where flights.arrival_delay_minutes < 15)::numeric / count(*), 4) as on_time_share,
    round(avg(flights.arrival_delay_minutes), 2) as mean_arrival_delay_minutes
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_airports') }} as airports on airports.airport = flights.destination
group by flights.flight_date, flights.destination, airports.airport_name
