#!/usr/bin/env python3
"""Renders the chart with many values for three versions of Kubernetes and checks the objects: lint, schema, labels, rights, pod
security, what each value changes. Needs helm; no cluster.

Usage: chart_test.py REPOSITORY
"""
import json
import pathlib
import subprocess
import sys
import unittest

try:
    import yaml

    import chart
    from chart import of_kind
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
VERSIONS = ("1.25.16", "1.29.4", "1.32.0")
SETS = sorted((ROOT / "helm/millrace/ci").glob("*-values.yaml"))
CHART = chart.Chart(ROOT)
LABELS = ("app.kubernetes.io/version", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "helm.sh/chart")

# Values, and what helm must say about them.
REFUSED = [
    ({"replica": 2}, "Additional property replica is not allowed"),
    ({"image": {"name": "x"}}, "image: Additional property name is not allowed"),
    ({"replicas": 0}, "replicas: Must be greater than or equal to 1"),
    ({"replicas": "two"}, "replicas: Invalid type. Expected: integer, given: string"),
    ({"userId": 0}, "userId: Must be greater than or equal to 10000"),
    ({"image": {"tag": "latest"}}, "image.tag: latest is not a version"),
    ({"image": {"digest": "abc"}}, "image.digest: Does not match pattern"),
    ({"image": {"repository": "Mill Race"}}, "image.repository: Does not match pattern"),
    ({"image": {"pullPolicy": "Sometimes"}}, 'image.pullPolicy must be one of the following: "Always", "IfNotPresent", "Never"'),
    ({"watch": {"allNamespaces": True, "namespaces": ["a"]}}, "watch.allNamespaces and watch.namespaces exclude each other"),
    ({"watch": {"namespaces": ["Upper"]}}, "watch.namespaces.0: Does not match pattern"),
    ({"commonLabels": {"app.kubernetes.io/name": "x"}}, 'Property name of "app.kubernetes.io/name" does not match'),
    ({"resources": {"limits": {"memory": "much"}}}, "resources.limits.memory: Does not match pattern"),
    ({"resources": {"limits": {"gpu": "1"}}}, "Additional property gpu is not allowed"),
    ({"metrics": {"port": 80}}, "metrics.port: Must be greater than or equal to 1024"),
    ({"metrics": {"serviceMonitor": {"interval": "soon"}}}, "metrics.serviceMonitor.interval: Does not match pattern"),
    ({"prometheusRule": {"disabled": ["JobDown"]}}, "prometheusRule.disabled.0: Does not match pattern"),
    ({"redis": {"enabled": True, "image": "redis:latest"}}, "redis.image: latest is not a version"),
    ({"operator": {"concurrency": 0}}, "operator.concurrency: Must be greater than or equal to 1"),
    ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "podDisruptionBudget.maxUnavailable: Does not match pattern"),
]


def operator(objects):
    return next(each for each in of_kind(objects, "Deployment"))


def arguments(objects):
    return operator(objects)["spec"]["template"]["spec"]["containers"][0]["args"]


def rule_set(role):
    return {(group, resource, verb) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
            for verb in rule["verbs"]}


class EverySet(unittest.TestCase):
    def each(self):
        for values in SETS:
            for version in VERSIONS:
                with self.subTest(values=values.name, version=version):
                    yield CHART.render(version=version, files=[values])

    def test_lints_strictly(self):
        for values in SETS:
            done = subprocess.run([chart.HELM, "lint", "--strict", CHART.folder, "--values", values], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_renders_the_same_bytes_again(self):
        for values in SETS:
            self.assertEqual(*(chart.template.__wrapped__(CHART.folder, "{}", "1.32.0", (values,)).stdout for _ in range(2)))

    def test_all_pods_are_restricted(self):
        for objects in self.each():
            self.assertEqual(list(chart.weaknesses(objects)), [])

    def test_every_object_has_the_shared_labels_and_no_name_is_too_long(self):
        for objects in self.each():
            for key, each in objects.items():
                self.assertEqual([label for label in LABELS if label not in each["metadata"].get("labels", {})], [], key)
                self.assertLessEqual(len(each["metadata"]["name"]), 63)

    def test_selectors_find_their_own_pods_only(self):
        for objects in self.each():
            pods = {(each["kind"], each["metadata"]["name"]): each["spec"]["template"]["metadata"]["labels"]
                    for kind in ("Deployment", "StatefulSet") for each in of_kind(objects, kind)}
            for kind in ("Deployment", "StatefulSet"):
                for each in of_kind(objects, kind):
                    wanted = each["spec"]["selector"]["matchLabels"].items()
                    found = [key for key, labels in pods.items() if wanted <= labels.items()]
                    self.assertEqual(found, [(kind, each["metadata"]["name"])])

    def test_nobody_may_touch_secrets_or_everything(self):
        for objects in self.each():
            for kind in ("Role", "ClusterRole"):
                for role in of_kind(objects, kind):
                    for group, resource, verb in rule_set(role):
                        self.assertNotIn("*", (group, resource, verb))
                        self.assertNotEqual(resource, "secrets")


class Values(unittest.TestCase):
    def test_wrong_ones_are_refused_with_a_reason(self):
        for values, reason in REFUSED:
            with self.subTest(values=values):
                message = CHART.refuse(values)
                self.assertIsNotNone(message, "helm took it")
                self.assertIn(reason, message)

    def test_every_value_has_a_default_of_its_own_type(self):
        schema = json.loads((CHART.folder / "values.schema.json").read_text())

        def walk(node, path):
            for name, member in node["properties"].items():
                self.assertTrue(member["description"].endswith("."), path + name)
                if "properties" in member:
                    self.assertIs(member["additionalProperties"], False, path + name)
                    walk(member, path + name + ".")
                elif name != "global":
                    self.assertIn("default", member, path + name)
        walk(schema, "")

    def test_image_is_pinned_by_digest_when_there_is_one(self):
        objects = CHART.render(files=[ROOT / "helm/millrace/ci/cluster-wide-values.yaml"])
        image = operator(objects)["spec"]["template"]["spec"]["containers"][0]["image"]
        self.assertRegex(image, r"^registry\.example\.com:5000/data/millrace@sha256:[0-9a-f]{64}$")
        self.assertEqual(arguments(objects)[:2], ["--image", image])

    def test_image_has_the_version_of_the_chart_by_default(self):
        image = arguments(CHART.render())[1]
        self.assertEqual(image, "millrace:" + yaml.safe_load((CHART.folder / "Chart.yaml").read_text())["appVersion"])

    def test_names_follow_the_overrides(self):
        names = {each["metadata"]["name"] for each in of_kind(CHART.render({"fullnameOverride": "mill"}), "Deployment")}
        self.assertEqual(names, {"mill"})
        names = {each["metadata"]["name"] for each in of_kind(CHART.render({"nameOverride": "race"}), "Deployment")}
        self.assertEqual(names, {"rel-race"})

    def test_dry_run_reaches_the_operator(self):
        self.assertNotIn("--dry-run", arguments(CHART.render()))
        self.assertIn("--dry-run", arguments(CHART.render({"operator": {"dryRun": True}})))

    def test_port_is_the_same_everywhere(self):
        objects = CHART.render({"metrics": {"port": 9999}})
        self.assertIn("0.0.0.0:9999", arguments(objects))
        self.assertEqual(of_kind(objects, "Service")[0]["spec"]["ports"][0]["port"], 9999)
        self.assertIn(":9999/readyz", of_kind(objects, "ConfigMap")[0]["data"]["job.yaml"])


class Placement(unittest.TestCase):
    def test_replicas_prefer_different_hosts(self):
        spec = operator(CHART.render())["spec"]["template"]["spec"]
        term = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
        self.assertEqual(term["podAffinityTerm"]["topologyKey"], "kubernetes.io/hostname")

    def test_own_placement_replaces_it(self):
        spec = operator(CHART.render(files=[ROOT / "helm/millrace/ci/placed-values.yaml"]))["spec"]["template"]["spec"]
        self.assertEqual(list(spec["affinity"]), ["nodeAffinity"])
        self.assertEqual(spec["priorityClassName"], "system-cluster-critical")
        self.assertEqual(spec["nodeSelector"], {"pool": "system"})

    def test_one_replica_has_no_disruption_budget(self):
        self.assertEqual(of_kind(CHART.render({"replicas": 1}), "PodDisruptionBudget"), [])
        self.assertEqual(len(of_kind(CHART.render(), "PodDisruptionBudget")), 1)

    def test_budget_lets_broken_pods_go_where_the_server_knows_how(self):
        old, new = (of_kind(CHART.render(version=version), "PodDisruptionBudget")[0]["spec"] for version in ("1.25.0", "1.32.0"))
        self.assertNotIn("unhealthyPodEvictionPolicy", old)
        self.assertEqual(new["unhealthyPodEvictionPolicy"], "AlwaysAllow")


class Rights(unittest.TestCase):
    def test_own_namespace_only_by_default(self):
        objects = CHART.render()
        self.assertEqual([each["metadata"]["namespace"] for each in of_kind(objects, "Role")], ["spot", "spot"])
        self.assertFalse([each for each in of_kind(objects, "ClusterRole") if not each["metadata"]["name"].endswith(("-view", "-edit"))])
        self.assertEqual(arguments(objects)[-2:], ["--watch-namespaces", "spot"])

    def test_named_namespaces_get_a_role_each(self):
        objects = CHART.render({"watch": {"namespaces": ["shop", "billing"]}})
        places = [each["metadata"]["namespace"] for each in of_kind(objects, "RoleBinding")]
        self.assertEqual(sorted(places), ["billing", "shop", "spot"])
        self.assertEqual(arguments(objects)[-1], "shop,billing")

    def test_all_namespaces_need_a_cluster_role(self):
        objects = CHART.render({"watch": {"allNamespaces": True}})
        self.assertNotIn("--watch-namespaces", arguments(objects))
        binding = of_kind(objects, "ClusterRoleBinding")[0]
        self.assertEqual(binding["subjects"][0]["namespace"], "spot")
        self.assertEqual(len(of_kind(objects, "Role")), 1)

    def test_leases_are_written_in_the_own_namespace_only(self):
        for objects in (CHART.render({"watch": {"allNamespaces": True}}), CHART.render({"watch": {"namespaces": ["shop"]}})):
            for kind in ("Role", "ClusterRole"):
                for role in of_kind(objects, kind):
                    has = any(resource == "leases" for _, resource, _ in rule_set(role))
                    self.assertEqual(has, role["metadata"]["name"].endswith("-leader"), role["metadata"]["name"])

    def test_none_are_made_when_somebody_else_does(self):
        objects = CHART.render({"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "given"}})
        self.assertFalse([key for key in objects if key[0] in ("Role", "RoleBinding", "ClusterRole", "ServiceAccount")])
        self.assertEqual(operator(objects)["spec"]["template"]["spec"]["serviceAccountName"], "given")


class CustomResource(unittest.TestCase):
    def test_is_that_of_the_project(self):
        mine = of_kind(CHART.render({"crds": {}}), "CustomResourceDefinition")[0]
        wanted = yaml.load((ROOT / "crds/streamingjob.yaml").read_text(), Loader=chart.StrictLoader)
        self.assertEqual(mine["spec"], wanted["spec"])
        self.assertEqual(mine["metadata"]["name"], wanted["metadata"]["name"])

    def test_outlives_the_release_unless_told_otherwise(self):
        def policy(**crds):
            return (of_kind(CHART.render({"crds": crds}), "CustomResourceDefinition")[0]["metadata"].get("annotations") or {}).get("helm.sh/resource-policy")
        self.assertEqual(policy(), "keep")
        self.assertIsNone(policy(keep=False))

    def test_can_be_left_out(self):
        self.assertEqual(of_kind(CHART.render({"crds": {"install": False}}), "CustomResourceDefinition"), [])


class Monitoring(unittest.TestCase):
    def test_is_off_by_default(self):
        kinds = {key[0] for key in CHART.render()}
        self.assertFalse(kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule"})

    def test_rule_is_the_file_of_the_dashboards(self):
        objects = CHART.render({"prometheusRule": {"enabled": True}})
        wanted = yaml.safe_load((ROOT / "dashboards/alerts/millrace.yaml").read_text())["groups"]
        self.assertEqual(of_kind(objects, "PrometheusRule")[0]["spec"]["groups"], wanted)

    def test_alerts_can_be_left_out_and_labelled(self):
        objects = CHART.render(files=[ROOT / "helm/millrace/ci/monitored-values.yaml"])
        alerts = [rule for group in of_kind(objects, "PrometheusRule")[0]["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
        self.assertNotIn("MillraceStateGrowing", [alert["alert"] for alert in alerts])
        self.assertEqual({alert["labels"]["team"] for alert in alerts}, {"data"})
        self.assertEqual(alerts[0]["annotations"]["runbook_url"], "https://wiki.example.com/millrace/MillraceJobDown.md")

    def test_dashboards_are_those_of_the_project(self):
        objects = CHART.render({"dashboards": {"enabled": True, "namespace": "monitoring"}})
        maps = [each for each in of_kind(objects, "ConfigMap") if each["metadata"]["labels"].get("grafana_dashboard") == "1"]
        self.assertEqual({name: text for each in maps for name, text in each["data"].items()},
                         {path.name: path.read_text() for path in (ROOT / "dashboards").glob("*.json")})
        self.assertEqual({each["metadata"]["namespace"] for each in maps}, {"monitoring"})

    def test_workers_keep_their_label_job(self):
        objects = CHART.render({"metrics": {"podMonitor": {"enabled": True}}})
        monitor = of_kind(objects, "PodMonitor")[0]["spec"]
        self.assertIs(monitor["podMetricsEndpoints"][0]["honorLabels"], True)
        self.assertEqual(monitor["namespaceSelector"], {"matchNames": ["spot"]})


class Redis(unittest.TestCase):
    def test_keeps_what_it_acknowledged(self):
        objects = CHART.render({"redis": {"enabled": True}})
        config = next(each["data"]["redis.conf"] for each in of_kind(objects, "ConfigMap") if "redis.conf" in each["data"])
        for line in ("appendonly yes", "appendfsync always", "maxmemory-policy noeviction"):
            self.assertIn(line, config.splitlines())
        self.assertEqual(len(of_kind(objects, "StatefulSet")[0]["spec"]["volumeClaimTemplates"]), 1)

    def test_takes_its_users_from_a_secret(self):
        objects = CHART.render(files=[ROOT / "helm/millrace/ci/placed-values.yaml"])
        config = next(each["data"]["redis.conf"] for each in of_kind(objects, "ConfigMap") if "redis.conf" in each["data"])
        self.assertIn("aclfile /etc/redis-acl/users.acl", config)
        self.assertNotIn("protected-mode no", config)

    def test_is_reached_by_workers_only(self):
        objects = CHART.render({"redis": {"enabled": True}})
        policy = next(each for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"].endswith("-redis"))["spec"]
        self.assertEqual(policy["egress"], [])
        chosen = policy["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0]["values"]
        self.assertEqual(chosen, ["worker", "cleanup"])


class Tests(unittest.TestCase):
    def hooks(self, values):
        return sorted((int(each["metadata"]["annotations"]["helm.sh/hook-weight"]), each["kind"]) for each in CHART.render(values).values()
                      if each["metadata"].get("annotations", {}) and "helm.sh/hook" in each["metadata"]["annotations"])

    def test_ask_the_operator_and_run_a_job_where_a_redis_is(self):
        self.assertEqual(self.hooks({}), [(0, "ConfigMap"), (1, "Pod")])
        self.assertEqual(self.hooks({"redis": {"enabled": True}}),
                         [(0, "ConfigMap"), (1, "Pod"), (2, "ConfigMap"), (2, "StreamingJob"), (3, "Pod")])
        self.assertEqual(self.hooks({"tests": {"enabled": False}}), [])


if __name__ == "__main__":
    if not chart.HELM.exists():
        print("skipped: no helm; `make test-ship` builds one")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
