select
    faa as airport,
    name as airport_name,
    lat::numeric as latitude,
    lon::numeric as longitude,
    alt::numeric as altitude_ft,
    tzone as time_zone
from {{ source('raw', 'airports') }}
