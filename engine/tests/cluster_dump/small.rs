//! A small cluster of two nodes, built object by object.

use serde_json::{Value, json};

/// Objects of a dump.
pub(crate) struct Dump(pub(crate) Vec<Value>);

impl Dump {
    /// Two m6i.xlarge on-demand nodes of an EKS node group `web` in us-east-1a and us-east-1b, and one Deployment `shop/app` with a
    /// pod on each.
    pub(crate) fn new() -> Self {
        let mut dump = Self(vec![node("a", "us-east-1a"), node("b", "us-east-1b")]);
        dump.workload("Deployment", "app", 2);
        dump.pod("app", "ReplicaSet", "app-5d9", Some("a"));
        dump.pod("app", "ReplicaSet", "app-5d9", Some("b"));
        dump
    }

    /// A workload in namespace `shop` whose pods carry the label `app`.
    pub(crate) fn workload(&mut self, kind: &str, name: &str, replicas: u32) -> &mut Value {
        self.0.push(json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()}}
        }));
        self.0.last_mut().unwrap()
    }

    /// A running pod of a workload, bound where a node is given.
    pub(crate) fn pod(
        &mut self,
        app: &str,
        kind: &str,
        owner: &str,
        node: Option<&str>,
    ) -> &mut Value {
        let mut spec = pod_spec();
        if let Some(node) = node {
            spec["nodeName"] = json!(node);
        }
        let name = format!("{owner}-{}", self.0.len());
        self.0.push(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": app, "pod-template-hash": "5d9"},
                         "ownerReferences": [{"kind": kind, "name": owner, "controller": true}]},
            "spec": spec, "status": {"phase": if node.is_some() { "Running" } else { "Pending" }}
        }));
        self.0.last_mut().unwrap()
    }

    /// An object of any other kind in namespace `shop`.
    pub(crate) fn object(&mut self, api_version: &str, kind: &str, name: &str, spec: Value) {
        let metadata = json!({"name": name, "namespace": "shop"});
        self.0.push(
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}),
        );
    }

    /// The first object of a kind and name.
    pub(crate) fn get(&mut self, kind: &str, name: &str) -> &mut Value {
        let found = self
            .0
            .iter_mut()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// Pod template of the Deployment `app`.
    pub(crate) fn app(&mut self) -> &mut Value {
        &mut self.get("Deployment", "app")["spec"]["template"]["spec"]
    }

    /// As kubectl prints it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&json!({"apiVersion": "v1", "kind": "List", "items": self.0}))
            .unwrap()
    }
}

fn pod_spec() -> Value {
    json!({"containers": [{"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}}]})
}

/// A node with the allocatable that the catalogue computes for its type.
pub(crate) fn node(name: &str, zone: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "us-east-1", "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux", "kubernetes.io/hostname": name, "node.kubernetes.io/instance-type": "m6i.xlarge",
            "eks.amazonaws.com/nodegroup": "web", "eks.amazonaws.com/capacityType": "ON_DEMAND"}},
        "spec": {"providerID": format!("aws:///{zone}/i-0")},
        "status": {"allocatable": {"cpu": "3920m", "memory": "14162Mi", "pods": "58"},
                   "conditions": [{"type": "Ready", "status": "True"}]}
    })
}
