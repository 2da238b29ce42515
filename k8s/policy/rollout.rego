# What lets a Deployment be replaced, moved and scaled without losing a request.
package mcp.rollout

import rego.v1

deployments contains d if {
	some d in input.documents
	d.kind == "Deployment"
}

component(d) := d.spec.template.metadata.labels["app.kubernetes.io/component"]

# What the settings of a Deployment say, in seconds.
seconds(d, key) := input.settings[d.metadata.name][key] / 1000

pre_stop(c) := object.get(c, ["lifecycle", "preStop", "sleep", "seconds"], 0)

matches(selector, labels) if {
	every key, value in selector { labels[key] == value }
}

# 21
deny contains sprintf("%s/%s: %s is missing", [d.metadata.name, c.name, probe]) if {
	some d in deployments
	some c in d.spec.template.spec.containers
	some probe in ["startupProbe", "readinessProbe", "livenessProbe"]
	not c[probe]
}

deny contains sprintf("%s/%s: liveness asks what readiness asks", [d.metadata.name, c.name]) if {
	some d in deployments
	some c in d.spec.template.spec.containers
	c.livenessProbe.httpGet.path == c.readinessProbe.httpGet.path
}

deny contains sprintf("%s/%s: liveness restarts after %d s, which is no patience", [d.metadata.name, c.name, patience]) if {
	some d in deployments
	some c in d.spec.template.spec.containers
	patience := object.get(c.livenessProbe, "periodSeconds", 10) * object.get(c.livenessProbe, "failureThreshold", 3)
	patience < 30
}

# 22: an endpoint's removal is everywhere within 5 s.
deny contains sprintf("%s/%s: preStop of %d s is less than endpoints take to be known as gone", [d.metadata.name, c.name, pre_stop(c)]) if {
	some d in deployments
	component(d) == "server"
	some c in d.spec.template.spec.containers
	pre_stop(c) < 5
}

deny contains sprintf("%s/%s: readiness says no after up to %d s, and the listener closes after %v", [d.metadata.name, c.name, noticed, seconds(d, "server.drain_delay_ms")]) if {
	some d in deployments
	component(d) == "server"
	some c in d.spec.template.spec.containers
	probe := c.readinessProbe
	noticed := (object.get(probe, "periodSeconds", 10) * object.get(probe, "failureThreshold", 3)) + object.get(probe, "timeoutSeconds", 1)
	noticed >= seconds(d, "server.drain_delay_ms")
}

# 23: actors have 25 s each and stop side by side in their order; nearly always milliseconds.
deny contains sprintf("%s: killed after %d s, but preStop, drain and shutdown may take %v", [d.metadata.name, grace, needed]) if {
	some d in deployments
	input.settings[d.metadata.name]
	some c in d.spec.template.spec.containers
	grace := object.get(d.spec.template.spec, "terminationGracePeriodSeconds", 30)
	needed := ((pre_stop(c) + seconds(d, "server.drain_delay_ms")) + seconds(d, "server.shutdown_timeout_ms")) + 25
	grace <= needed
}

# 24
deny contains sprintf("%s: maxUnavailable is not 0", [d.metadata.name]) if {
	some d in deployments
	not d.spec.strategy.rollingUpdate.maxUnavailable == 0
}

# 25
deny contains sprintf("%s: no PodDisruptionBudget", [d.metadata.name]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	budgets := [b | some b in input.documents; b.kind == "PodDisruptionBudget"; matches(b.spec.selector.matchLabels, d.spec.template.metadata.labels)]
	count(budgets) != 1
}

# 26
deny contains sprintf("%s: not spread over zones", [d.metadata.name]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	zones := [t |
		some t in object.get(d.spec.template.spec, "topologySpreadConstraints", [])
		t.topologyKey == "topology.kubernetes.io/zone"
		matches(t.labelSelector.matchLabels, d.spec.template.metadata.labels)
	]
	count(zones) == 0
}

# 33
scalers contains {"target": s.spec.scaleTargetRef.name, "it": s} if {
	some s in input.documents
	s.kind in {"HorizontalPodAutoscaler", "ScaledObject"}
}

deny contains sprintf("%s: %d scalers instead of one", [d.metadata.name, count(owners)]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	owners := [s | some s in scalers; s.target == d.metadata.name]
	count(owners) != 1
}

deny contains sprintf("%s: replicas is set beside a scaler", [d.metadata.name]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	d.spec.replicas
}

deny contains sprintf("%s: not scaled on CPU", [s.target]) if {
	some s in scalers
	s.it.kind == "HorizontalPodAutoscaler"
	count([m | some m in s.it.spec.metrics; m.resource.name == "cpu"]) == 0
}

deny contains "mcp-backend: not scaled on requests in flight" if {
	some s in scalers
	s.target == "mcp-backend"
	count([m | some m in s.it.spec.metrics; m.pods.metric.name == "mcp_rag_http_in_flight"]) == 0
}

deny contains "mcp-worker: not scaled on the queue's depth" if {
	input.environment in {"staging", "prod"}
	some s in scalers
	s.target == "mcp-worker"
	s.it.kind != "ScaledObject"
}

# 34: memory that was not asked for is a neighbour's to take.
deny contains sprintf("%s/%s: asks for %s of memory and may use %s", [d.metadata.name, c.name, c.resources.requests.memory, c.resources.limits.memory]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	some c in d.spec.template.spec.containers
	c.resources.requests.memory != c.resources.limits.memory
}

# Every Deployment of ours can be checked for all of this.
deny contains sprintf("%s: its settings are not known: it mounts no mcp-rag-config", [d.metadata.name]) if {
	some d in deployments
	component(d) in {"server", "worker"}
	not input.settings[d.metadata.name]
}
