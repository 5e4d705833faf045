"""What runs inside a serving image: no MLflow, no pandas, of training the schema's reader only.

Read `main.py` first, then `worker.py` and `app.py`. What is in a request is decided once, for both
protocols, all algorithms and engines:

| in a request | is |
| --- | --- |
| a column that the schema does not know | ignored |
| a column that no row has | 400, it is named |
| a column that some rows have | missing in the others |
| null, NaN, Infinity, a number beyond 3e38, a list, an object | missing |
| an unknown level, a date or number that cannot be read | missing |
| a number or boolean as text; a text, number or boolean for another | read as training reads it |
| the same key twice in an object of JSON | the last counts |
| a column twice in `columns`, a CSV header or V2's inputs | 400, if the schema knows it |
| rows of another length than the header, columns of different lengths | 400 |
| no rows | 400 |
| more rows or bytes than the limit | 413 |
"""
