"""Tables for people."""

import pandas as pd
import pytest

from mmdu_analysis.io.tables import render_table


def _column(values: list[float | None], digits: int, name: str = "value") -> list[str]:
    lines = render_table(pd.DataFrame({name: values}), "markdown", digits=digits).splitlines()[2:]
    return [line.strip("| ") for line in lines]


@pytest.mark.parametrize(
    ("values", "digits", "shown"),
    [
        ([0.067, 0.21], 1, ["0.07", "0.21"]),
        ([0.95, 0.95], 1, ["0.95", "0.95"]),
        ([0.027], 1, ["0.027"]),
        ([0.00073, 0.0002], 2, ["0.00073", "0.00020"]),
        ([1e-12], 2, ["0.000000"]),
        ([-1.51, -0.087, None], 2, ["-1.51", "-0.09", "-"]),
        ([1622.0, 0.5], 1, ["1,622.0", "0.5"]),
        ([3.0, 110.0, None], 1, ["3", "110", "-"]),
        ([0.0], 1, ["0"]),
    ],
)
def test_all_numbers_of_a_column_have_the_same_decimals(
    values: list[float | None], digits: int, shown: list[str]
) -> None:
    assert _column(values, digits) == shown


def test_p_values_have_three_decimals() -> None:
    assert _column([0.0004, 0.04, None], 1, "p_value") == ["<0.001", "0.040", "-"]
