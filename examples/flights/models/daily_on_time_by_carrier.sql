-- On time: arrived less than 15 minutes late, the definition of the US Department of Transportation.
select
    flights.flight_date,
    flights.carrier,
    airlines.airline_name,
    count(*) as flights,
    count(*) filter (where flights.is_cancelled) as cancelled,
    count(*) filter (where flights.arrival_delay_minutes < 15) as on_time,
    round(count(*) filter (where flights.arrival_delay_minutes < 15)::numeric / count(*), 4) as on_time_share,
    round(avg(flights.arrival_delay_minutes), 2) as mean_arrival_delay_minutes
from {{ ref('stg_flights') }} as flights
join {{ ref('stg_airlines') }} as airlines using (carrier)
group by flights.flight_date, flights.carrier, airlines.airline_name
