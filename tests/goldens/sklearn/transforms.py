"""Writes transforms.json: what scikit-learn's transformers fit and yield on the tables in examples/data.

    python tests/goldens/sklearn/transforms.py

Cells are emptied by a rule that tests/unit/runtime/sklearn_transforms_test.cpp follows too: of record i (from 0) and
column j, those where (31 i + 17 j) % 23 == 0. The first 80 % of the rows are for training.
"""

import csv
import json
import pathlib

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

here = pathlib.Path(__file__).parent
data = here.parent.parent.parent / "examples" / "data"


def table(name):
    with open(data / name, newline="") as file:
        header, *records = list(csv.reader(file))
    for i, record in enumerate(records):
        for j in range(len(record)):
            if (31 * i + 17 * j) % 23 == 0:
                record[j] = ""
    return header, records


def column(name, column_name, text):
    header, records = table(name)
    j = header.index(column_name)
    cells = [record[j] for record in records]
    if text:
        return np.array([[cell if cell else np.nan] for cell in cells], dtype=object)
    return np.array([[float(cell) if cell else np.nan] for cell in cells])


def imputer(value):
    if value in ("mean", "median", "most_frequent"):
        return SimpleImputer(strategy=value), lambda t: {"a": [t.statistics_[0]]} if not isinstance(
            t.statistics_[0], str) else {"fill": t.statistics_[0]}
    return SimpleImputer(strategy="constant", fill_value=value), lambda t: {"a": [t.statistics_[0]]}


def onehot(unknown="error", drop_first=False, max_categories=None):
    encoder = OneHotEncoder(
        handle_unknown="ignore" if unknown == "zero" else "error",
        drop="first" if drop_first else None,
        max_categories=max_categories,
        sparse_output=False,
    )

    def fitted(t):
        infrequent = t.infrequent_categories_[0] if max_categories is not None else None
        infrequent = [] if infrequent is None else list(infrequent)
        return {"categories": [text(c) for c in t.categories_[0] if c not in infrequent],
                "infrequent": [text(c) for c in infrequent]}

    return encoder, fitted


def text(category):
    return category if isinstance(category, str) else np.format_float_positional(category, trim="-")


makers = {
    "impute": imputer,
    "standard": lambda: (StandardScaler(), lambda t: {"a": list(t.mean_), "b": list(t.scale_)}),
    "minmax": lambda low=0, high=1: (MinMaxScaler((low, high)), lambda t: {"a": list(t.scale_), "b": list(t.min_)}),
    "robust": lambda: (RobustScaler(), lambda t: {"a": list(t.center_), "b": list(t.scale_)}),
    "onehot": onehot,
    "ordinal": lambda: (OrdinalEncoder(), lambda t: {"categories": [text(c) for c in t.categories_[0]]}),
}


def case(name, column_name, steps, is_text=False):
    x = column(name, column_name, is_text)
    train = len(x) - int(np.floor(0.2 * len(x) + 0.5))
    fitted = []
    for kind, arguments in steps:
        transformer, describe = makers[kind](**arguments)
        transformer.fit(x[:train])
        x = transformer.transform(x)
        fitted.append(describe(transformer))
    x = x.astype(np.float64)
    rows = list(range(0, len(x), 37))
    return {
        "table": name,
        "column": column_name,
        "steps": [[kind, arguments] for kind, arguments in steps],
        "fitted": fitted,
        "rows": rows,
        "values": [list(x[row]) for row in rows],
        "sum": float(np.abs(x).sum()),
    }


cases = []
header, _ = table("breast_cancer.csv")
scalers = [["standard", {}], ["minmax", {}], ["minmax", {"low": -2, "high": 3}], ["robust", {}]]
for k, name in enumerate(header[:-1]):
    strategy = ["mean", "median", "most_frequent"][k % 3]
    cases.append(case("breast_cancer.csv", name, [["impute", {"value": strategy}], scalers[k % 4]]))
    # Scalers pass over missing values.
    cases.append(case("breast_cancer.csv", name, [scalers[(k + 1) % 4], ["impute", {"value": 0}]]))
for name in ["amount", "age", "duration_months", "existing_credits", "installment_rate"]:
    for strategy in ["mean", "median", "most_frequent"]:
        cases.append(case("german_credit.csv", name, [["impute", {"value": strategy}], ["standard", {}]]))
    cases.append(case("german_credit.csv", name, [["impute", {"value": "median"}], ["robust", {}]]))
fill = ["impute", {"value": "most_frequent"}]
for name in ["purpose", "housing", "checking", "employment", "credit_history", "job"]:
    for arguments in [{}, {"drop_first": True}, {"max_categories": 3}, {"max_categories": 1},
                      {"max_categories": 2, "drop_first": True}, {"unknown": "zero", "max_categories": 4}]:
        cases.append(case("german_credit.csv", name, [fill, ["onehot", {"unknown": "zero", **arguments}]], True))
    cases.append(case("german_credit.csv", name, [fill, ["ordinal", {}]], True))
for name in ["installment_rate", "existing_credits", "residence_since"]:
    cases.append(case("german_credit.csv", name, [fill, ["onehot", {"max_categories": 3}]]))
    cases.append(case("german_credit.csv", name, [fill, ["ordinal", {}]]))
for scaler in scalers:
    cases.append(case("daily_min_temperatures.csv", "Temp", [["impute", {"value": "mean"}], scaler]))

with open(here / "transforms.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
