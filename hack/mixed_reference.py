"""What a person writes with scikit-learn for a table of numbers and categories with gaps.

``python -m hack.mixed_reference TABLE search|fit`` does what the trainer is asked for: read, hold
out, search (or not), fit on all training rows, score. It is a process of its own, as the trainer.
"""

import sys

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

GRID = {"n_estimators": [50, 100], "max_depth": [5, 10]}
FOLDS = 3


def main() -> None:
    """Fit the table's pipeline and print its score on the held-out rows."""
    frame = pd.read_csv(sys.argv[1])
    target = frame.pop("label")
    numeric = frame.select_dtypes("number").columns
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                frame.columns.difference(numeric),
            ),
        ]
    )
    forest = RandomForestClassifier(n_estimators=100, max_depth=10, random_state=42)
    pipeline = Pipeline([("columns", columns), ("classifier", forest)])
    train, test, known, asked = train_test_split(
        frame, target, test_size=0.2, stratify=target, random_state=42
    )
    if sys.argv[2] == "search":
        grid = {f"classifier__{name}": values for name, values in GRID.items()}
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=42)
        pipeline = GridSearchCV(pipeline, grid, cv=folds, scoring="roc_auc", n_jobs=-1)
    pipeline.fit(train, known)
    print(roc_auc_score(asked, pipeline.predict_proba(test)[:, 1]))


if __name__ == "__main__":
    main()
