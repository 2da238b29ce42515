#!/usr/bin/env python3
"""Adds up docs/costs.csv and docs/savings.csv into the tables of docs/COST_OPTIMIZATION.md.

usage: costs.py [--write] [--root FOLDER] [--plan ENVIRONMENT PLAN.json]...

Without --write the page has to be as the files have it, and each environment within what was asked for. With --plan
(terraform show -json) the quantities have to be those of the plan: a gateway more there is one more here. One line for each
finding; exit status 1 when there is one.

costs.csv: quantity and most (with the most servers) of an item, units a month (730 hours, or 1) and the price of one. `plan`
names what is counted in the plan. savings.csv: the share of a kind of item that a measure saves, of what measures above it
left; `always` for what Terraform does, otherwise how long the commitment is."""

import csv
import json
import pathlib
import sys

PAGE, BEGIN, END = "docs/COST_OPTIMIZATION.md", "<!-- costs:{}:begin -->", "<!-- costs:{}:end -->"
# What was asked for, in USD a month, of what is always on: at its list price at least, and at most with workers on spot nodes.
ASKED = {"staging": (500, 900), "prod": (1700, 2900)}
SAVED = (0.30, 0.40)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def usd(amount):
    return f"{amount:,.2f}"


class Costs:
    def __init__(self, root):
        self.items, self.savings = read(root / "docs/costs.csv"), read(root / "docs/savings.csv")
        for item in self.items:
            for column in ("quantity", "most", "units", "price"):
                item[column] = float(item[column])
            item["least"] = item["quantity"] * item["units"] * item["price"]
            item["highest"] = item["most"] * item["units"] * item["price"]
        self.environments = list(dict.fromkeys(i["environment"] for i in self.items))

    def of(self, environment):
        return [i for i in self.items if i["environment"] == environment]

    def total(self, environment, column="least"):
        return sum(i[column] for i in self.of(environment))

    def measures(self, environment, commitment):
        """Each measure with what it saves, in the order of the file; the last has to leave something."""
        left = {}
        for item in self.of(environment):
            if item["kind"]:
                left[item["kind"]] = left.get(item["kind"], 0) + item["least"]
        saved = {}
        for row in self.savings:
            if row["environment"] == environment and row["when"] in ("always", commitment):
                amount = left[row["kind"]] * float(row["share"])
                left[row["kind"]] -= amount
                saved[row["measure"]] = saved.get(row["measure"], 0) + amount
        return saved

    def tables(self):
        for environment in self.environments:
            lines = ["| Part | Item | Quantity | Price | USD a month | with the most servers |", "|---|---|--:|--:|--:|--:|"]
            for item in self.of(environment):
                unit = " an hour" if item["units"] == 730 else ""
                lines.append(f"| {item['part']} | {item['item']} | {item['quantity']:g} | {item['price']:g}{unit} | {usd(item['least'])} | {usd(item['highest'])} |")
            lines.append(f"| | **together** | | | **{usd(self.total(environment))}** | **{usd(self.total(environment, 'highest'))}** |")
            yield environment, lines

        lines = ["| Measure | Environment | USD a month, with commitments of 1 year | of 3 years |", "|---|---|--:|--:|"]
        sums = {"1 year": 0, "3 years": 0}
        for environment in self.environments:
            short, long = self.measures(environment, "1 year"), self.measures(environment, "3 years")
            for measure in short:
                lines.append(f"| {measure} | {environment} | {usd(short[measure])} | {usd(long[measure])} |")
            for commitment, measures in (("1 year", short), ("3 years", long)):
                sums[commitment] += sum(measures.values())
        whole = sum(self.total(e) for e in self.environments)
        lines.append(f"| **saved** | of {usd(whole)} | **{usd(sums['1 year'])}** ({sums['1 year'] / whole:.1%}) | **{usd(sums['3 years'])}** ({sums['3 years'] / whole:.1%}) |")
        yield "savings", lines

        lines = ["| Environment | list price, always on | as Terraform makes it | with 1 year | with 3 years |", "|---|--:|--:|--:|--:|"]
        columns = [0.0] * 4
        for environment in self.environments:
            list_price = self.total(environment)
            row = [list_price] + [list_price - sum(self.measures(environment, c).values()) for c in ("none", "1 year", "3 years")]
            columns = [a + b for a, b in zip(columns, row)]
            lines.append(f"| {environment} | " + " | ".join(map(usd, row)) + " |")
        lines.append("| **together** | " + " | ".join(f"**{usd(c)}**" for c in columns) + " |")
        yield "summary", lines
        self.saved = {commitment: amount / whole for commitment, amount in sums.items()}


def page(costs, root, write):
    path = root / PAGE
    text = path.read_text()
    for name, lines in costs.tables():
        begin, end = BEGIN.format(name), END.format(name)
        if begin not in text or end not in text:
            yield f"{PAGE} has no {begin} and {end}"
            continue
        before, rest = text.split(begin, 1)
        wanted = f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.split(end, 1)[1]}"
        if wanted != text and not write:
            yield f"{PAGE}: the table {name} is not what docs/costs.csv and docs/savings.csv add up to: scripts/costs.py --write"
        text = wanted
    if write:
        path.write_text(text)
    for environment, (least, most) in ASKED.items():
        low, high = costs.total(environment), costs.total(environment, "highest") - costs.measures(environment, "none").get("spot nodes", 0)
        if not least <= low <= high <= most:
            yield f"{environment} costs {usd(low)} to {usd(high)}, which is not within {least} to {most}"
    for commitment, share in costs.saved.items():
        if not SAVED[0] <= round(share, 2) <= SAVED[1]:
            yield f"commitments of {commitment} save {share:.1%}, which is not {SAVED[0]:.0%} to {SAVED[1]:.0%}"


def counted(plan):
    """What a plan makes of the things that the column `plan` names, and of which class."""
    changes = [r for r in json.load(open(plan))["resource_changes"] if r["mode"] == "managed"]
    of = lambda kind, name=None: [r["change"]["after"] for r in changes if r["type"] == kind and name in (None, r["name"])]  # noqa: E731
    groups = {g["node_group_name"]: g for g in of("aws_eks_node_group")}
    writer, cache = of("aws_db_instance", "this")[0], of("aws_elasticache_replication_group")[0]
    zones = len(of("aws_subnet", "intra"))
    scaling = {name: group["scaling_config"][0] for name, group in groups.items()}
    return {
        "clusters": (len(of("aws_eks_cluster")), None), "nat": (len(of("aws_nat_gateway")), None), "acls": (len(of("aws_wafv2_web_acl")), None),
        "rules": (len(of("aws_wafv2_web_acl")[0]["rule"]), None), "keys": (len(of("aws_kms_key")), None),
        "secrets": (len(of("aws_secretsmanager_secret", "this")), None), "alarms": (len(of("aws_cloudwatch_metric_alarm", "threshold")), None),
        "anomalies": (len(of("aws_cloudwatch_metric_alarm", "anomaly")), None), "endpoints": (len(of("aws_vpc_endpoint", "interface")) * zones, None),
        "servers": (scaling["servers"]["desired_size"], groups["servers"]["instance_types"][0]),
        "workers": (scaling["workers"]["desired_size"], groups["workers"]["instance_types"][0]),
        "databases": (1, writer["instance_class"]), "replicas": (len(of("aws_db_instance", "replica")), writer["instance_class"]),
        "storage": (writer["allocated_storage"], None), "cache": (cache["num_cache_clusters"], cache["node_type"]),
    }, scaling["servers"]["max_size"]


def plans(costs, environment, plan):
    found, most = counted(plan)
    named = {i["plan"] for i in costs.of(environment)}
    for item in costs.of(environment):
        if not item["plan"]:
            continue
        quantity, of_class = found[item["plan"]]
        if item["quantity"] != quantity:
            yield f"{environment}: {item['item']}: docs/costs.csv has {item['quantity']:g}, the plan {quantity}"
        if of_class and of_class not in item["item"]:
            yield f"{environment}: {item['item']}: the plan has {of_class}"
        if item["plan"] == "servers" and item["most"] != most:
            yield f"{environment}: {item['item']}: docs/costs.csv has {item['most']:g} at most, the plan {most}"
    for name, (quantity, _) in found.items():
        if quantity and name not in named and not (name == "secrets" and environment == "prod"):
            yield f"{environment}: the plan has {quantity} of {name}, docs/costs.csv none"


def main(arguments):
    root, write, findings, pairs = pathlib.Path(__file__).resolve().parent.parent, False, [], []
    while arguments:
        argument = arguments.pop(0)
        if argument == "--write":
            write = True
        elif argument == "--root":
            root = pathlib.Path(arguments.pop(0))
        elif argument == "--plan":
            pairs.append((arguments.pop(0), arguments.pop(0)))
        else:
            print(__doc__)
            return 0 if argument in ("--help", "-h") else 64
    costs = Costs(root)
    findings += page(costs, root, write)
    for environment, plan in pairs:
        findings += plans(costs, environment, plan)
    print("\n".join(findings))
    return 1 if findings else 0


sys.exit(main(sys.argv[1:]))
