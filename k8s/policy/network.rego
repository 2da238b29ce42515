# 30: who may talk to whom. And that what refers to something by labels or name finds it.
package mcp.network

import rego.v1

policies contains p if {
	some p in input.documents
	p.kind == "NetworkPolicy"
}

pods contains {"of": d.metadata.name, "labels": d.spec.template.metadata.labels} if {
	some d in input.documents
	d.kind in {"Deployment", "StatefulSet", "Job"}
}

pods contains {"of": d.metadata.name, "labels": d.spec.jobTemplate.spec.template.metadata.labels} if {
	some d in input.documents
	d.kind == "CronJob"
}

matches(selector, labels) if {
	every key, value in object.get(selector, "matchLabels", {}) { labels[key] == value }
	every e in object.get(selector, "matchExpressions", []) {
		e.operator == "In"
		labels[e.key] in e.values
	}
}

default_deny if {
	some p in policies
	p.spec.podSelector == {}
	"Ingress" in p.spec.policyTypes
	"Egress" in p.spec.policyTypes
	not p.spec.ingress
	not p.spec.egress
}

deny contains "there is no NetworkPolicy that denies everything by default" if not default_deny

deny contains sprintf("NetworkPolicy %s lets something out to anywhere", [p.metadata.name]) if {
	some p in policies
	some rule in object.get(p.spec, "egress", [])
	not rule.to
}

deny contains sprintf("NetworkPolicy %s lets anybody in", [p.metadata.name]) if {
	some p in policies
	some rule in object.get(p.spec, "ingress", [])
	not rule.from
}

deny contains sprintf("NetworkPolicy %s opens every port", [p.metadata.name]) if {
	some p in policies
	some rule in array.concat(object.get(p.spec, "ingress", []), object.get(p.spec, "egress", []))
	not rule.ports
}

deny contains sprintf("NetworkPolicy %s lets pods ask the node for its rights (169.254.169.254)", [p.metadata.name]) if {
	some p in policies
	some rule in object.get(p.spec, "egress", [])
	some to in object.get(rule, "to", [])
	to.ipBlock.cidr == "0.0.0.0/0"
	not "169.254.0.0/16" in object.get(to.ipBlock, "except", [])
}

deny contains sprintf("NetworkPolicy %s is for no pod", [p.metadata.name]) if {
	some p in policies
	not p.spec.podSelector == {}
	count([pod | some pod in pods; matches(p.spec.podSelector, pod.labels)]) == 0
}

# A Service without pods is a 503 that no validator of schemas sees. ExternalName and Flagger's own have no selector here.
deny contains sprintf("Service %s selects no pod", [s.metadata.name]) if {
	some s in input.documents
	s.kind == "Service"
	s.spec.selector
	count([pod | some pod in pods; matches({"matchLabels": s.spec.selector}, pod.labels)]) == 0
}

deny contains sprintf("%s: there is no ServiceAccount %s", [d.metadata.name, name]) if {
	some d in input.documents
	name := d.spec.template.spec.serviceAccountName
	not name in {a.metadata.name | some a in input.documents; a.kind == "ServiceAccount"}
}

# Everything of ours is in one namespace; what belongs to another one says so in its component.
deny contains sprintf("%s/%s is outside mcp-demo", [d.kind, d.metadata.name]) if {
	some d in input.documents
	not d.kind in {"Namespace", "PriorityClass", "ClusterSecretStore"}
	not d.metadata.namespace == "mcp-demo"
	not gateways_own(d)
}

# The gateway reads certificates from where it runs.
gateways_own(d) if {
	d.kind == "Certificate"
	d.metadata.namespace == "istio-system"
}

deny contains sprintf("Gateway %s: no Certificate in istio-system makes %s", [g.metadata.name, server.tls.credentialName]) if {
	some g in input.documents
	g.kind == "Gateway"
	some server in g.spec.servers
	count([c | some c in input.documents; gateways_own(c); c.spec.secretName == server.tls.credentialName]) == 0
	server.tls.credentialName
}

deny contains sprintf("%s: %s is no path of an environment's secrets", [d.metadata.name, entry.remoteRef.key]) if {
	some d in input.documents
	d.kind == "ExternalSecret"
	some entry in d.spec.data
	not startswith(entry.remoteRef.key, sprintf("/mcp-demo/%s/", [input.environment]))
}
