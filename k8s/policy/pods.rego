# What every pod of ours must be, wherever it comes from: a Deployment, StatefulSet, Job or CronJob.
# The numbers are points of the checklist in docs/DEPLOYMENT_ARCHITECTURE.md.
package mcp.pods

import rego.v1

# Whatever makes pods, with the pod it makes.
pods contains {"of": sprintf("%s/%s", [d.kind, d.metadata.name]), "kind": d.kind, "spec": d.spec.template.spec, "meta": d.spec.template.metadata} if {
	some d in input.documents
	d.kind in {"Deployment", "StatefulSet", "Job", "DaemonSet"}
}

pods contains {"of": sprintf("CronJob/%s", [d.metadata.name]), "kind": d.kind, "spec": d.spec.jobTemplate.spec.template.spec, "meta": d.spec.jobTemplate.spec.template.metadata} if {
	some d in input.documents
	d.kind == "CronJob"
}

containers contains {"of": sprintf("%s container %s", [p.of, c.name]), "it": c} if {
	some p in pods
	some c in array.concat(p.spec.containers, object.get(p.spec, "initContainers", []))
}

# 27
deny contains sprintf("%s: priorityClassName is missing", [p.of]) if {
	some p in pods
	not p.spec.priorityClassName
}

deny contains sprintf("%s: there is no PriorityClass %s", [p.of, p.spec.priorityClassName]) if {
	some p in pods
	not p.spec.priorityClassName in {d.metadata.name | some d in input.documents; d.kind == "PriorityClass"}
}

# 28
deny contains sprintf("%s: runAsNonRoot is not true", [p.of]) if {
	some p in pods
	not p.spec.securityContext.runAsNonRoot == true
}

deny contains sprintf("%s: runs as user %d", [p.of, p.spec.securityContext.runAsUser]) if {
	some p in pods
	p.spec.securityContext.runAsUser == 0
}

deny contains sprintf("%s: %s of the host", [p.of, share]) if {
	some p in pods
	some share in ["hostNetwork", "hostPID", "hostIPC"]
	p.spec[share] == true
}

deny contains sprintf("%s: volume %s is a path of the host", [p.of, v.name]) if {
	some p in pods
	some v in object.get(p.spec, "volumes", [])
	v.hostPath
}

deny contains sprintf("%s: an API token is mounted that nothing uses", [p.of]) if {
	some p in pods
	not p.spec.automountServiceAccountToken == false
}

deny contains sprintf("%s: runs as root", [c.of]) if {
	some c in containers
	c.it.securityContext.runAsUser == 0
}

deny contains sprintf("%s: readOnlyRootFilesystem is not true", [c.of]) if {
	some c in containers
	not c.it.securityContext.readOnlyRootFilesystem == true
}

deny contains sprintf("%s: allowPrivilegeEscalation is not false", [c.of]) if {
	some c in containers
	not c.it.securityContext.allowPrivilegeEscalation == false
}

deny contains sprintf("%s: does not drop all capabilities", [c.of]) if {
	some c in containers
	not "ALL" in object.get(c.it, ["securityContext", "capabilities", "drop"], [])
}

deny contains sprintf("%s: adds capabilities", [c.of]) if {
	some c in containers
	count(object.get(c.it, ["securityContext", "capabilities", "add"], [])) > 0
}

# 29
deny contains sprintf("%s: seccompProfile is not RuntimeDefault", [p.of]) if {
	some p in pods
	not p.spec.securityContext.seccompProfile.type == "RuntimeDefault"
}

# 31
deny contains sprintf("%s: image %s has neither tag nor digest", [c.of, c.it.image]) if {
	some c in containers
	not regex.match(`[^/]+[:@][^/]+$`, c.it.image)
}

deny contains sprintf("%s: image %s is whatever is newest", [c.of, c.it.image]) if {
	some c in containers
	regex.match(`:latest$`, c.it.image)
}

deny contains sprintf("%s: image %s is not named by its digest", [c.of, c.it.image]) if {
	input.environment in {"staging", "prod"}
	some c in containers
	not regex.match(`@sha256:[0-9a-f]{64}$`, c.it.image)
}

# 32: settings by a name that changes with them, secrets as files that are updated.
deny contains sprintf("%s: ConfigMap %s has no hash in its name, so that a change of it rolls nothing", [p.of, v.configMap.name]) if {
	some p in pods
	p.kind == "Deployment"
	some v in object.get(p.spec, "volumes", [])
	v.configMap
	not regex.match(`-[a-z0-9]{10}$`, v.configMap.name)
	not object.get(p.meta, ["annotations", "mcp-rag/reloads"], "") == v.name
}

deny contains sprintf("%s: %s comes from a secret by the environment, which nothing rotates", [c.of, e.name]) if {
	input.environment in {"staging", "prod"}
	some c in containers
	some e in object.get(c.it, "env", [])
	e.valueFrom.secretKeyRef
}

deny contains sprintf("%s: %s is mounted by subPath, which is never updated", [c.of, m.mountPath]) if {
	some c in containers
	some m in object.get(c.it, "volumeMounts", [])
	m.subPath
}

# 34
deny contains sprintf("%s: no %s of %s", [c.of, bound, resource]) if {
	some c in containers
	some bound in ["requests", "limits"]
	some resource in ["cpu", "memory", "ephemeral-storage"]
	not c.it.resources[bound][resource]
}
