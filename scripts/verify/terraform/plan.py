#!/usr/bin/env python3
"""Says what is wrong with an environment's plan.

usage: plan.py ENVIRONMENT PLAN.json    (terraform show -json)

Rules hold for every environment but for EXPECTED, which is what each is to be. One line for each finding, with the
resource's address; exit status 1 when there is one. A value that is known only after apply counts as given."""

import json
import sys

TAGS = {"Project", "Environment", "Owner", "ManagedBy"}
# What an environment is to be. `nodes`: the least servers; `locked`: days for which a backup cannot be deleted.
EXPECTED = {
    "dev": dict(zones=2, nat=1, multi_az=False, replicas=0, cache=1, nodes=1, spot_servers=True, asleep=True, locked=1, copies=False),
    "staging": dict(zones=2, nat=1, multi_az=False, replicas=0, cache=1, nodes=2, spot_servers=False, asleep=True, locked=7, copies=False),
    "prod": dict(zones=3, nat=3, multi_az=True, replicas=1, cache=2, nodes=3, spot_servers=False, asleep=False, locked=35, copies=True),
}
SECRETS = ["database/url", "redis/url", "auth/token", "jwt-secret", "api-keys/openai", "api-keys/gate", "backup/age-identity"]


class Plan:
    def __init__(self, document):
        self.resources = [r for r in document["resource_changes"] if r["mode"] == "managed"]

    def of(self, *types):
        return [r for r in self.resources if r["type"] in types]

    def count(self, kind):
        return len(self.of(kind))


def value(resource, *path):
    """What a resource will have there; "unknown" when only apply will tell."""
    after, unknown = resource["change"]["after"], resource["change"]["after_unknown"]
    for key in path:
        if unknown is True:
            return "unknown"
        after = after[key] if isinstance(after, list) and len(after) > key or isinstance(after, dict) and key in after else None
        unknown = unknown[key] if isinstance(unknown, list) and len(unknown) > key or isinstance(unknown, dict) and key in unknown else False
    return "unknown" if after is None and unknown is True else after


def policies(resource):
    for key in ("policy", "assume_role_policy"):
        text = value(resource, key)
        if text and text != "unknown":
            for statement in json.loads(text).get("Statement", []):
                yield key, statement


def every(plan, kind, wanted, say, *path):
    """`wanted` holds for the value at `path` of all resources of the kind."""
    for resource in plan.of(kind):
        found = value(resource, *path)
        if not wanted(found):
            yield f"{resource['address']}: {say} ({'.'.join(map(str, path))} is {found!r})"


def given(found):
    return found not in (None, "", [])


def true(found):
    return found is True or found == "true"


def encrypted(plan):
    for kind, path in [
        ("aws_cloudwatch_log_group", ["kms_key_id"]), ("aws_db_instance", ["kms_key_id"]), ("aws_sns_topic", ["kms_master_key_id"]),
        ("aws_ecr_repository", ["encryption_configuration", 0, "kms_key"]), ("aws_secretsmanager_secret", ["kms_key_id"]),
        ("aws_eks_cluster", ["encryption_config", 0, "provider", 0, "key_arn"]), ("aws_scheduler_schedule", ["kms_key_arn"]),
        ("aws_launch_template", ["block_device_mappings", 0, "ebs", 0, "kms_key_id"]), ("aws_elasticache_replication_group", ["kms_key_id"]),
        ("aws_db_instance", ["performance_insights_kms_key_id"]), ("aws_db_instance_automated_backups_replication", ["kms_key_id"]),
    ]:
        yield from every(plan, kind, given, "has no key of ours", *path)
    yield from every(plan, "aws_db_instance", true, "is not encrypted", "storage_encrypted")
    yield from every(plan, "aws_launch_template", true, "starts volumes in the clear", "block_device_mappings", 0, "ebs", 0, "encrypted")
    yield from every(plan, "aws_elasticache_replication_group", true, "is not encrypted", "at_rest_encryption_enabled")
    yield from every(plan, "aws_elasticache_replication_group", true, "talks in the clear", "transit_encryption_enabled")
    yield from every(plan, "aws_kms_key", true, "does not rotate", "enable_key_rotation")
    yield from every(plan, "aws_kms_key", given, "has no policy of ours", "policy")


def private(plan):
    yield from every(plan, "aws_db_instance", lambda v: v is False, "is public", "publicly_accessible")
    yield from every(plan, "aws_subnet", lambda v: v in (False, None), "gives out public addresses", "map_public_ip_on_launch")
    yield from every(plan, "aws_eks_cluster", lambda v: v is False, "has a public endpoint", "vpc_config", 0, "endpoint_public_access")
    yield from every(plan, "aws_vpc_security_group_ingress_rule", lambda v: v not in ("0.0.0.0/0", "::/0"), "lets everybody in", "cidr_ipv4")
    for resource in plan.of("aws_security_group", "aws_default_security_group"):
        if value(resource, "ingress") not in (None, [], "unknown"):
            yield f"{resource['address']}: has rules inside, which nothing else sees"
    for resource in plan.resources:
        for key, statement in policies(resource):
            if statement["Effect"] != "Allow":
                continue
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if statement.get("Principal") in ("*", {"AWS": "*"}):
                yield f"{resource['address']}: {key} lets anybody in"
            # Over its own key an account has every right, through IAM.
            if resource["type"] != "aws_kms_key" and any(a == "*" or a.endswith(":*") for a in actions):
                yield f"{resource['address']}: {key} allows {', '.join(actions)}"


def buckets(plan):
    """Every bucket has all of its guards, which are resources of their own."""
    for bucket in plan.of("aws_s3_bucket"):
        module = bucket["address"].rsplit(".aws_s3_bucket.", 1)[0]
        beside = {r["type"]: r for r in plan.resources if r["address"].rsplit(".aws_s3_bucket_", 1)[0] == module}
        for guard in ("public_access_block", "versioning", "server_side_encryption_configuration", "policy", "ownership_controls", "lifecycle_configuration"):
            if f"aws_s3_bucket_{guard}" not in beside:
                yield f"{bucket['address']}: has no {guard}"
        sids = [s.get("Sid") for _, s in policies(beside["aws_s3_bucket_policy"])] if "aws_s3_bucket_policy" in beside else []
        if "NothingInTheClear" not in sids:
            yield f"{bucket['address']}: its policy does not demand TLS"
    for switch in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
        yield from every(plan, "aws_s3_bucket_public_access_block", true, "could be made public", switch)
    yield from every(plan, "aws_s3_bucket_versioning", lambda v: v == "Enabled", "keeps no versions", "versioning_configuration", 0, "status")


def watched(plan):
    yield from every(plan, "aws_db_instance", true, "takes no logins by IAM", "iam_database_authentication_enabled")
    yield from every(plan, "aws_db_instance", lambda v: v and v > 0, "has no enhanced monitoring", "monitoring_interval")
    yield from every(plan, "aws_db_instance", true, "has no Performance Insights", "performance_insights_enabled")
    yield from every(plan, "aws_db_instance", lambda v: v and "postgresql" in v, "exports no logs", "enabled_cloudwatch_logs_exports")
    yield from every(plan, "aws_eks_cluster", lambda v: v and len(v) == 5, "does not log everything", "enabled_cluster_log_types")
    yield from every(plan, "aws_launch_template", lambda v: v == "required", "answers without a session", "metadata_options", 0, "http_tokens")
    yield from every(plan, "aws_launch_template", lambda v: v == 1, "gives pods the node's role", "metadata_options", 0, "http_put_response_hop_limit")
    yield from every(plan, "aws_cloudwatch_log_group", lambda v: v and v >= 30, "forgets too soon", "retention_in_days")
    yield from every(plan, "aws_cloudwatch_metric_alarm", given, "tells nobody", "alarm_description")
    for kind, most in {"aws_flow_log": 1, "aws_budgets_budget": 1, "aws_ce_anomaly_subscription": 1, "aws_default_security_group": 1, "aws_wafv2_web_acl": 1}.items():
        if plan.count(kind) != most:
            yield f"{plan.count(kind)} of {kind}, not {most}"


def tagged(plan, environment):
    for resource in plan.resources:
        if "tags" not in resource["change"]["after"]:
            continue
        tags = value(resource, "tags") or {}
        missing = TAGS - set(tags)
        if missing:
            yield f"{resource['address']}: lacks the tags {', '.join(sorted(missing))}"
        elif tags["Environment"] != environment:
            yield f"{resource['address']}: is tagged as {tags['Environment']}"


def expected(plan, environment, document):
    want = EXPECTED[environment]
    writers = [r for r in plan.of("aws_db_instance") if r["name"] == "this"]
    groups = {value(r, "node_group_name"): r for r in plan.of("aws_eks_node_group")}
    lock = [r for r in plan.of("aws_s3_bucket_object_lock_configuration") if r["module_address"] == "module.backups"]
    found = {
        "zones": plan.count("aws_route_table_association") // 4,
        "nat": plan.count("aws_nat_gateway"),
        "multi_az": value(writers[0], "multi_az") if len(writers) == 1 else None,
        "replicas": len(plan.of("aws_db_instance")) - len(writers),
        "cache": value(plan.of("aws_elasticache_replication_group")[0], "num_cache_clusters"),
        "nodes": value(groups["servers"], "scaling_config", 0, "min_size"),
        "spot_servers": value(groups["servers"], "capacity_type") == "SPOT",
        "asleep": plan.count("aws_autoscaling_schedule") == 4 and plan.count("aws_scheduler_schedule") == 2,
        "locked": value(lock[0], "rule", 0, "default_retention", 0, "days") if lock else 0,
        "copies": plan.count("aws_s3_bucket_replication_configuration") == 1 and plan.count("aws_db_instance_automated_backups_replication") == 1,
    }
    for name, wish in want.items():
        if found[name] != wish:
            yield f"{environment}: {name} is {found[name]!r}, not {wish!r}"
    if value(groups["workers"], "capacity_type") != "SPOT":
        yield f"{environment}: workers are not on spot nodes"
    for name, wish in (("deletion_protection", environment == "prod"),):
        for resource in plan.of("aws_db_instance", "aws_eks_cluster"):
            if value(resource, name) is not wish:
                yield f"{resource['address']}: {name} is {value(resource, name)!r}, not {wish!r}"

    names = {value(r, "name") for r in plan.of("aws_secretsmanager_secret")}
    for path in SECRETS + ["database/replica-urls"] * (want["replicas"] > 0):
        if f"/mcp-demo/{environment}/{path}" not in names:
            yield f"{environment}: there is no secret /mcp-demo/{environment}/{path}"

    # The manifests read the output by these names (k8s/components/environment); the roles are those of its accounts.
    lines = json.dumps(document["configuration"]["root_module"]["outputs"].get("overlay_environment", {}))
    if "overlay_environment" not in document["planned_values"].get("outputs", {}) or "module.accounts" not in lines:
        yield "there is no output overlay_environment"
    roles = {value(r, "name") for r in plan.of("aws_iam_role")}
    for account in ("backup", "external-secrets"):
        if f"mcp-demo-{environment}-{account}" not in roles:
            yield f"{environment}: there is no role for {account}"


def main(environment, path):
    with open(path) as file:
        document = json.load(file)
    plan = Plan(document)
    findings = [f for rule in (encrypted, private, buckets, watched) for f in rule(plan)]
    findings += tagged(plan, environment)
    findings += expected(plan, environment, document)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


sys.exit(main(*sys.argv[1:]))
