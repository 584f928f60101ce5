"""Write every file that is generated: from the contracts, the schema and hack/dashboards."""

from pathlib import Path

import yaml

from hack.dashboards import DASHBOARDS
from hack.reference import resource_page
from taxon_contracts.conditions import conditions_page
from taxon_contracts.crd import custom_resource_definition
from taxon_datastore.schema_page import schema_page

ROOT = Path(__file__).resolve().parent.parent
CRD_PATH = ROOT / "manifests" / "crds" / "classifiermodels.taxon.dev.yaml"
DASHBOARDS_PATH = ROOT / "charts" / "taxon" / "dashboards"
CHART_CRD_PATH = ROOT / "charts" / "taxon" / "templates" / "crd.yaml"
HEADER = "# Generated from contracts/taxon_contracts by `make generate`; do not edit.\n"
KEEP = {
    "helm.sh/resource-policy": "keep",
    "argocd.argoproj.io/sync-options": "Prune=false",
}


def rendered_crd() -> str:
    """Return the text of the committed CustomResourceDefinition."""
    return HEADER + yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=100)


def chart_crd() -> str:
    """Return the CustomResourceDefinition as a template of the chart.

    Helm never upgrades files in a ``crds`` folder. It upgrades a template, and the annotation keeps
    the definition, and with it every model, when the release is uninstalled.

    Raises:
        ValueError: the definition contains text that Helm would evaluate.
    """
    definition = custom_resource_definition()
    kept = {"name": definition["metadata"]["name"], "annotations": KEEP}
    text = yaml.safe_dump(definition | {"metadata": kept}, sort_keys=False, width=100)
    if "{{" in text:
        raise ValueError("the definition contains {{, which Helm would evaluate")
    return f"{{{{- if .Values.crds.create }}}}\n{HEADER}{text}{{{{- end }}}}\n"


def generated_files() -> dict[Path, str]:
    """Return every generated file's content by its path."""
    return {
        CRD_PATH: rendered_crd(),
        CHART_CRD_PATH: chart_crd(),
        ROOT / "docs" / "conditions.md": conditions_page(),
        ROOT / "docs" / "resource.md": resource_page(custom_resource_definition()),
        ROOT / "docs" / "schema.md": schema_page(),
        **{DASHBOARDS_PATH / f"{one.uid}.json": one.text() for one in DASHBOARDS},
    }


if __name__ == "__main__":
    for path, content in generated_files().items():
        path.write_text(content)
