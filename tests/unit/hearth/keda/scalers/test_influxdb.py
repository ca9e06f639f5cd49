"""Flux's CSV and the rows of InfluxDB 3."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.influxdb import first_value, last_value
from hearth.keda.scalers.seam import ScalerError

TABLE = """#datatype,string,long,double\r
,result,table,_value\r
,_result,0,{}\r
,_result,0,9\r
"""


def test_the_first_record_counts():
    assert first_value(TABLE.format("4.5")) == 4.5


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("\r\n", "no results found from query"),
        (TABLE.format("many"), "no number"),
        (TABLE.format(""), "no number"),
        ("error,reference\r\nquery is wrong,897\r\n", "the query failed: query is wrong"),
    ],
)
def test_what_is_no_value(table, words):
    with pytest.raises(ScalerError, match=words):
        first_value(table)


def test_of_rows_the_last_counts():
    assert last_value([{"mean": 1}, {"mean": 2.5}], "mean") == 2.5
    assert last_value([], "mean") == 0


def test_a_row_without_the_column_is_no_value():
    with pytest.raises(ScalerError, match="no number: 'None'"):
        last_value([{"max": 1}], "mean")
