"""The Kubernetes files: settings that there are, ports and names that belong together, no rights that are not needed."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from dagster._config import validate_config
from dagster_k8s import K8sRunLauncher

from factoryops.dagster_home import INSTANCE_YAML, WORKERS
from tests.deploy.files import DEPLOY, SETTINGS, documents
from warehouse.settings import Settings

BASE = DEPLOY / "kubernetes" / "base"
OBJECTS = [found for found in documents(BASE) if found["kind"] != "Kustomization"]
WORKLOADS = [found for found in OBJECTS if found["kind"] in {"Deployment", "StatefulSet", "Job"}]


def names(kind: str) -> set[str]:
    return {found["metadata"]["name"] for found in OBJECTS if found["kind"] == kind}


def test_every_file_is_part_of_the_base() -> None:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")


def test_settings_and_secrets_are_ours() -> None:
    for file in (BASE, DEPLOY / "kubernetes" / "overlays" / "example"):
        for generated in yaml.safe_load((file / "kustomization.yaml").read_text())["configMapGenerator"]:
            assert {literal.partition("=")[0] for literal in generated["literals"]} <= SETTINGS
    secret = yaml.safe_load((DEPLOY / "kubernetes" / "secret.example.yaml").read_text())
    assert {name.upper() for name in secret["stringData"]} <= SETTINGS


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda found: found["metadata"]["name"])
def test_each_pod_is_bounded_and_has_no_rights_that_it_does_not_need(workload: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
    pod = json.loads(json.dumps(workload["spec"]["template"]["spec"]))
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]
    assert workload["kind"] == "Job" or "livenessProbe" in container


def test_what_refers_to_a_workload_names_one() -> None:
    components = {found["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] for found in WORKLOADS}
    for found in OBJECTS:
        if found["kind"] == "Service":
            assert found["spec"]["selector"]["app.kubernetes.io/component"] in components
        if found["kind"] == "HorizontalPodAutoscaler":
            assert found["spec"]["scaleTargetRef"]["name"] in names(found["spec"]["scaleTargetRef"]["kind"])
        if found["kind"] == "Ingress":
            backend = found["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
            assert backend in names("Service")


def snake(found: Any) -> Any:
    """The chart's camelCase as Dagster's own settings have it; what Kubernetes itself reads stays."""
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower(): value for key, value in found.items()}


def test_runs_get_pods_of_their_own_where_the_chart_is_used() -> None:
    """The installed dagster-k8s takes what the chart would write into dagster.yaml."""
    values = yaml.safe_load((DEPLOY / "kubernetes" / "dagster-values.yaml").read_text())
    assert values["runLauncher"]["type"] == K8sRunLauncher.__name__
    launcher = snake(values["runLauncher"]["config"]["k8sRunLauncher"])
    image = launcher.pop("image")
    launcher["env_config_maps"] = [one["name"] for one in launcher["env_config_maps"]]
    launcher["run_k8s_config"] = snake(launcher["run_k8s_config"])
    chart = {"service_account_name": "dagster", "instance_config_map": "dagster-instance", "dagster_home": "/opt/dagster/dagster_home"}
    config = {**launcher, **chart, "job_image": f"{image['repository']}:{image['tag']}"}
    checked = validate_config(K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors


def test_the_chart_serves_our_definitions_as_our_own_process_does() -> None:
    values = yaml.safe_load((DEPLOY / "kubernetes" / "dagster-values.yaml").read_text())
    [code] = values["dagster-user-deployments"]["deployments"]
    assert code["dagsterApiGrpcArgs"] == ["-m", "pipelines.definitions", "--max-workers", str(WORKERS)]
    assert code["port"] == Settings.model_fields["dagster_code_port"].default
    ours = yaml.safe_load(INSTANCE_YAML)
    assert values["dagsterDaemon"]["sensors"]["numWorkers"] == ours["sensors"]["num_workers"]
    assert values["dagsterDaemon"]["sensors"]["useThreads"] is True
    assert code["podSecurityContext"]["runAsNonRoot"] is True
    assert code["securityContext"]["readOnlyRootFilesystem"] is True


def test_it_renders_where_kubectl_is_there() -> None:
    """The real tool; without it the tests above are all that looked."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; the objects were checked without it")
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / "overlays" / "example")], check=True, capture_output=True, text=True
    )
    found = [document for document in yaml.safe_load_all(rendered.stdout) if document]
    assert {document["metadata"]["namespace"] for document in found if document["kind"] != "Namespace"} == {"factoryops"}
    images = {
        document["spec"]["template"]["spec"]["containers"][0]["image"]
        for document in found
        if document["kind"] in {"Deployment", "StatefulSet", "Job"}
    }
    assert images == {"plant/factoryops:0.1.0"}
