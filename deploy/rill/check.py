"""Runs the project's models over exported files in DuckDB, as Rill does, and every measure of the metrics views over the models.

usage: check.py EXPORT_FOLDER [MODEL=ROWS …]      (needs: pip install duckdb pyyaml)
"""

import pathlib
import sys

import duckdb
import yaml

here = pathlib.Path(__file__).parent
export = pathlib.Path(sys.argv[1]).resolve()
expected = dict(argument.split("=") for argument in sys.argv[2:])

# The files first; then the models over them.
FILES = ["lead", "clock", "refusal", "amount"]
MODELS = ["source_profitability", "campaign_conversion", "team_performance"]

connection = duckdb.connect()
for model in FILES + MODELS:
    text = (here / "models" / f"{model}.sql").read_text().replace("{{ .env.export_path }}", str(export))
    connection.execute(f"CREATE TABLE {model} AS {text}")
    rows = connection.execute(f"SELECT count(*) FROM {model}").fetchone()[0]
    print(f"{model}: {rows} rows")
    if model in expected and rows != int(expected[model]):
        sys.exit(f"{model} has {rows} rows and not {expected[model]}")

# However amounts and leads are joined, none is lost and none counts twice.
for question, answer in [
    ("SELECT count(*) FROM lead", "SELECT sum(accepted) FROM source_profitability"),
    ("SELECT count(DISTINCT failed_record_id) FROM refusal", "SELECT sum(refused) FROM source_profitability"),
    ("SELECT count(sold_at) FROM lead WHERE lead_id IN (SELECT lead_id FROM amount WHERE kind = 'cost')",
     "SELECT sum(sold_of_cost) FROM source_profitability"),
    ("SELECT sum(m.amount) FROM amount m WHERE m.kind = 'cost'", "SELECT sum(cost) FROM source_profitability"),
    ("SELECT sum(m.amount) FROM amount m WHERE m.kind = 'revenue'", "SELECT sum(revenue) FROM source_profitability"),
]:
    asked, answered = (connection.execute(sql).fetchone()[0] or 0 for sql in (question, answer))
    if abs(float(asked) - float(answered)) > 0.005:
        sys.exit(f"{question}: {asked}, but {answer}: {answered}")

for path in sorted((here / "metrics").glob("*.yaml")):
    metrics = yaml.safe_load(path.read_text())
    measures = ", ".join(f"{measure['expression']} AS {measure['name']}" for measure in metrics["measures"])
    for dimension in metrics["dimensions"]:
        connection.execute(
            f"SELECT {dimension['column']}, date_trunc('day', {metrics['timeseries']}), {measures} "
            f"FROM {metrics['model']} GROUP BY 1, 2"
        ).fetchall()
    dashboard = here / "dashboards" / f"{metrics['model']}.yaml"
    if yaml.safe_load(dashboard.read_text())["metrics_view"] != path.stem:
        sys.exit(f"{dashboard.name} shows another metrics view than {path.stem}")
    print(f"{path.stem}: {len(metrics['measures'])} measures by {len(metrics['dimensions'])} dimensions")
