select
    tailnum as tail_number,
    year::int as manufactured_in,
    type,
    manufacturer,
    model,
    engines::int as engines,
    seats::int as seats,
    speed::numeric as cruising_speed_mph,
    engine as engine_type
from {{ source('raw', 'planes') }}
