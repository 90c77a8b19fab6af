select
    origin,
    departure_hour,
    count(*) as departures,
    count(*) filter (where is_cancelled) as cancelled
from {{ ref('stg_flights') }}
{% if is_incremental() %}
-- The last hour may have been loaded in part, so it is taken again.
where departure_hour >= (select max(departure_hour) from {{ this }})
{% endif %}
group by origin, departure_hour
