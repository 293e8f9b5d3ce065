# Writes metrics.json: what scikit-learn gives for small sets of predictions and targets. Run: python metrics.py
import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def numbers(a):
    return [int(v) for v in np.asarray(a).ravel()]


def shortest(a):
    """Decimals that read back as the same float32."""
    return [float(str(np.float32(v))) for v in np.asarray(a).ravel()]


def f32(a):
    return np.asarray(a).astype(np.float32).astype(np.float64)


def value(f):
    """A number, None where scikit-learn has none."""
    try:
        v = float(f())
    except ValueError:
        return None
    return v if np.isfinite(v) else None


def binary(name, p, y):
    p = f32(p)
    q = (p > 0.5).astype(int)
    z = dict(zero_division=0)
    out = {
        "binary_accuracy": value(lambda: m.accuracy_score(y, q)),
        "precision": value(lambda: m.precision_score(y, q, **z)),
        "recall": value(lambda: m.recall_score(y, q, **z)),
        "f1": value(lambda: m.f1_score(y, q, **z)),
        "iou": value(lambda: m.jaccard_score(y, q, **z)),
        "balanced_accuracy": value(lambda: m.balanced_accuracy_score(y, q)),
        "mcc": value(lambda: m.matthews_corrcoef(y, q)),
        "roc_auc": value(lambda: m.roc_auc_score(y, p)),
        "pr_auc": abs(value(lambda: m.average_precision_score(y, p))),
        "log_loss": value(lambda: m.log_loss(y, p, labels=[0, 1])),
        "confusion_matrix": numbers(m.confusion_matrix(y, q, labels=[0, 1])),
    }
    return dict(name=name, kind="binary", rows=len(y), p=shortest(p), y=numbers(y), expected=out)


def classes(name, p, y, c):
    p = f32(p)
    q = p.argmax(axis=1)
    hot = np.eye(c)[y]
    out = {"accuracy": value(lambda: m.accuracy_score(y, q))}
    for average in ("macro", "micro", "weighted"):
        z = dict(average=average, zero_division=0)
        out["precision_" + average] = value(lambda: m.precision_score(y, q, **z))
        out["recall_" + average] = value(lambda: m.recall_score(y, q, **z))
        out["f1_" + average] = value(lambda: m.f1_score(y, q, **z))
        out["iou_" + average] = value(lambda: m.jaccard_score(y, q, **z))
    out["balanced_accuracy"] = value(lambda: m.balanced_accuracy_score(y, q))
    out["mcc"] = value(lambda: m.matthews_corrcoef(y, q))
    out["roc_auc"] = value(lambda: np.mean([m.roc_auc_score(hot[:, k], p[:, k]) for k in range(c)]))
    out["pr_auc"] = value(lambda: np.mean([abs(m.average_precision_score(hot[:, k], p[:, k])) for k in range(c)]))
    out["top_k"] = value(lambda: m.top_k_accuracy_score(y, p, k=2, labels=range(c)))
    share = p / p.sum(axis=1, keepdims=True)
    out["log_loss"] = value(lambda: m.log_loss(y, share, labels=range(c)))
    out["confusion_matrix"] = numbers(m.confusion_matrix(y, q, labels=range(c)))
    return dict(name=name, kind="classes", rows=len(y), classes=c, p=shortest(p), y=numbers(y),
                expected=out)


def regression(name, x, y):
    x, y = f32(x), f32(y)
    out = {
        "rmse": value(lambda: np.sqrt(m.mean_squared_error(y, x))),
        "mae": value(lambda: m.mean_absolute_error(y, x)),
        "mape": value(lambda: m.mean_absolute_percentage_error(y, x)),
        "r2": value(lambda: m.r2_score(y, x)),
    }
    columns = 1 if x.ndim == 1 else x.shape[1]
    return dict(name=name, kind="regression", rows=len(y), columns=columns, p=shortest(x),
                y=shortest(y), expected=out)


def scores(y, n, noise, digits):
    return np.round(np.clip(0.5 + 0.3 * (y - 0.5) + noise * rng.standard_normal(n), 0.01, 0.99), digits)


def class_scores(n, c, digits):
    y = rng.integers(0, c, n)
    p = rng.random((n, c)) + 0.6 * np.eye(c)[y]
    return np.round(p / p.sum(axis=1, keepdims=True), digits) + 0.01, y


cases = []
for n in (2, 7, 97, 250):
    y = rng.integers(0, 2, n)
    y[0], y[1] = 0, 1
    cases.append(binary(f"distinct_{n}", scores(y, n, 0.3, 6), y))
    cases.append(binary(f"ties_{n}", scores(y, n, 0.3, 1), y))
y = (rng.random(211) < 0.04).astype(int)
y[5] = 1
cases.append(binary("imbalanced", scores(y, 211, 0.2, 2), y))
cases.append(binary("imbalanced_none_found", scores(y, 211, 0.2, 2) * 0.4, y))
cases.append(binary("all_equal", np.full(13, 0.75), np.arange(13) % 2))
cases.append(binary("only_positives", scores(np.ones(11), 11, 0.4, 2), np.ones(11, dtype=int)))
cases.append(binary("only_negatives", scores(np.zeros(11), 11, 0.4, 2), np.zeros(11, dtype=int)))
cases.append(binary("one_row_right", [0.8], np.array([1])))
cases.append(binary("one_row_wrong", [0.8], np.array([0])))
cases.append(binary("certain", [0.0, 1.0, 1.0, 0.0, 0.25], np.array([0, 1, 0, 0, 1])))
for n, c in ((7, 3), (53, 3), (101, 5), (150, 10)):
    cases.append(classes(f"classes_{n}_{c}", *class_scores(n, c, 6), c))
    cases.append(classes(f"class_ties_{n}_{c}", *class_scores(n, c, 1), c))
p, y = class_scores(31, 4, 3)
cases.append(classes("class_absent", p, np.minimum(y, 2), 4))
p[:, 3] = 0.001
cases.append(classes("class_absent_and_never_predicted", p, np.minimum(y, 2), 4))
cases.append(classes("one_row_of_classes", p[:1], y[:1], 4))
for n in (2, 5, 97, 128):
    y = rng.standard_normal(n) * 3 + 20
    cases.append(regression(f"regression_{n}", y + rng.standard_normal(n), y))
y = rng.standard_normal(37)
cases.append(regression("regression_around_zero", y * 0.5, y))
cases.append(regression("regression_one_row", [2.5], [2.0]))
cases.append(regression("regression_constant_met", np.full(5, 3.0), np.full(5, 3.0)))
cases.append(regression("regression_constant_missed", np.full(5, 3.0) + np.arange(5), np.full(5, 3.0)))
y = rng.standard_normal((41, 3))
cases.append(regression("regression_columns", y + 0.3 * rng.standard_normal((41, 3)), y))

text = ",\n".join(json.dumps(case) for case in cases)
Path(__file__).with_name("metrics.json").write_text(
    f'{{"sklearn": "{sklearn.__version__}", "numpy": "{np.__version__}", "cases": [\n{text}\n]}}\n')
