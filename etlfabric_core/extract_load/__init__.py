"""The dlt runner: plain values in, rows in a warehouse and their counts out."""
