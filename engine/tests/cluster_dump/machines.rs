//! Nodes, pools, offerings and prices.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{Options, translate};
use ketscale_engine::problem::{CapacityType, Provider, resolve};
use serde_json::{Value, json};

use super::small::{Dump, node};
use super::{lists, translated, try_translate};

/// The small cluster on nodes of another provider.
fn on(labels: Value, provider_id: &str) -> Dump {
    let mut dump = Dump::new();
    for name in ["a", "b"] {
        let node = dump.get("Node", name);
        node["metadata"]["labels"] = labels.clone();
        node["spec"]["providerID"] = json!(provider_id);
    }
    dump
}

#[test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
fn pools_and_capacity_types_are_read_from_each_providers_labels() {
    let place = |region: &str, zone: &str, kind: &str| {
        json!({"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone, "kubernetes.io/arch": "amd64",
               "node.kubernetes.io/instance-type": kind})
    };
    let gke = place("europe-west1", "europe-west1-b", "e2-standard-4");
    let aks = place("westeurope", "westeurope-1", "Standard_D4s_v5");
    let eks = place("us-east-1", "us-east-1a", "m6i.xlarge");
    let old = json!({"failure-domain.beta.kubernetes.io/region": "us-east-1", "failure-domain.beta.kubernetes.io/zone": "us-east-1a",
                     "beta.kubernetes.io/instance-type": "m6i.xlarge", "beta.kubernetes.io/arch": "amd64"});
    for (labels, more, id, provider, pool, capacity_type) in [
        (
            &gke,
            json!({"cloud.google.com/gke-nodepool": "p"}),
            "gce://x",
            Provider::Gcp,
            "p",
            CapacityType::OnDemand,
        ),
        (
            &gke,
            json!({"cloud.google.com/gke-nodepool": "p", "cloud.google.com/gke-spot": "true"}),
            "",
            Provider::Gcp,
            "p",
            CapacityType::Spot,
        ),
        (
            &gke,
            json!({"cloud.google.com/gke-preemptible": "true"}),
            "gce://x",
            Provider::Gcp,
            "e2-standard-4",
            CapacityType::Spot,
        ),
        (
            &aks,
            json!({"kubernetes.azure.com/agentpool": "p"}),
            "azure:///x",
            Provider::Azure,
            "p",
            CapacityType::OnDemand,
        ),
        (
            &eks,
            json!({"eks.amazonaws.com/nodegroup": "p", "eks.amazonaws.com/capacityType": "SPOT"}),
            "",
            Provider::Aws,
            "p",
            CapacityType::Spot,
        ),
        (
            &eks,
            json!({"karpenter.sh/nodepool": "p", "karpenter.sh/capacity-type": "spot"}),
            "aws:///x",
            Provider::Aws,
            "p",
            CapacityType::Spot,
        ),
        (
            &old,
            json!({}),
            "aws:///us-east-1a/i-0",
            Provider::Aws,
            "m6i.xlarge",
            CapacityType::OnDemand,
        ),
    ] {
        let mut labels = labels.clone();
        labels
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let problem = translated(&on(labels, id).bytes()).problem;
        assert_eq!(
            (problem.clusters[0].provider, problem.pools[0].name.as_str()),
            (provider, pool),
            "{more}"
        );
        assert_eq!(
            problem.pools[0].offerings[0].capacity_type, capacity_type,
            "{more}"
        );
        assert!(
            resolve(problem, Catalogue::built_in(), "p").is_ok(),
            "{more}"
        );
    }
}

#[test]
fn allocatable_is_stated_only_where_the_node_differs_from_the_catalogue() {
    let mut dump = Dump::new();
    assert_eq!(
        translated(&dump.bytes()).problem.pools[0].offerings[0].allocatable,
        None
    );
    dump.get("Node", "b")["status"]["allocatable"]["memory"] = json!("14000Mi");
    let allocatable = translated(&dump.bytes()).problem.pools[0].offerings[0]
        .allocatable
        .clone();
    assert_eq!(
        json!(allocatable),
        json!({"cpu": "3920m", "memory": "14000Mi", "pods": "58"}),
        "the least of the nodes"
    );
}

#[test]
fn extended_resources_are_carried_where_pods_ask_for_them() {
    let mut dump = Dump::new();
    for name in ["a", "b"] {
        dump.get("Node", name)["status"]["allocatable"]["example.com/disk"] = json!("4");
        dump.get("Node", name)["status"]["allocatable"]["example.com/unused"] = json!("9");
    }
    dump.app()["containers"][0]["resources"]["requests"]["example.com/disk"] = json!("1");
    for pod in dump.0.iter_mut().filter(|object| object["kind"] == "Pod") {
        pod["spec"]["containers"][0]["resources"]["requests"]["example.com/disk"] = json!("1");
    }
    let problem = translated(&dump.bytes()).problem;
    let allocatable = json!(problem.pools[0].offerings[0].allocatable);
    assert_eq!(
        (
            &allocatable["example.com/disk"],
            &allocatable["example.com/unused"]
        ),
        (&json!("4"), &Value::Null)
    );
}

#[test]
fn an_unknown_price_asks_for_a_price_file_and_takes_it() {
    let mut dump = Dump::new();
    for name in ["a", "b"] {
        dump.get("Node", name)["metadata"]["labels"]["node.kubernetes.io/instance-type"] =
            json!("m9x.xlarge");
    }
    let errors = try_translate(&dump.bytes()).expect_err("no price");
    assert_eq!(errors.issues.len(), 1, "told once: {errors}");
    assert!(
        errors.to_string().contains(
            "no on-demand price of m9x.xlarge in aws us-east-1 is known; state it with --prices"
        ),
        "{errors}"
    );

    let header = "provider,region,instance_type,vcpus,memory,pods,on_demand_usd_per_hour\n";
    let prices = format!("{header}aws,us-east-1,m9x.xlarge,4,16Gi,58,0.21\n");
    let catalogue = Catalogue::built_in()
        .with_price_csv(prices.as_bytes(), "prices.csv")
        .unwrap();
    let translation = translate(&dump.bytes(), "dump.json", &Options::new(&catalogue)).unwrap();
    assert_eq!(
        translation.problem.pools[0].offerings[0].usd_per_hour,
        Some(0.21)
    );
    assert!(
        resolve(translation.problem, Catalogue::built_in(), "p").is_ok(),
        "the file stands alone"
    );
}

#[test]
fn machines_of_ones_own_are_left_to_be_priced() {
    let translation = translated(
        &on(
            json!({"kubernetes.io/arch": "amd64"}),
            "kind://docker/kind/a",
        )
        .bytes(),
    );
    assert_eq!(translation.problem.clusters[0].provider, Provider::Other);
    assert_eq!(
        translation.problem.pools[0].offerings[0].instance_type,
        "machine-4cpu-14gib"
    );
    assert!(lists(&translation, "what the machine costs is not known"));
}

#[test]
fn only_karpenter_is_offered_the_next_sizes() {
    let types = |dump: &Dump| -> Vec<String> {
        let pools = translated(&dump.bytes()).problem.pools;
        let mut types: Vec<String> = pools[0]
            .offerings
            .iter()
            .map(|offering| offering.instance_type.clone())
            .collect();
        types.dedup();
        types
    };
    let mut dump = Dump::new();
    assert_eq!(types(&dump), ["m6i.xlarge"]);
    for name in ["a", "b"] {
        let labels = dump.get("Node", name)["metadata"]["labels"]
            .as_object_mut()
            .unwrap();
        labels.remove("eks.amazonaws.com/nodegroup");
        labels.insert("karpenter.sh/nodepool".to_owned(), json!("web"));
    }
    assert_eq!(types(&dump), ["m6i.xlarge", "m6i.2xlarge", "m6i.large"]);
}

#[test]
fn transient_taints_are_no_property_of_a_pool() {
    let mut dump = Dump::new();
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    dump.get("Node", "a")["spec"] = json!({"providerID": "aws:///x", "unschedulable": true, "taints": [taint("node.kubernetes.io/unschedulable")]});
    dump.get("Node", "b")["spec"]["taints"] = json!([taint("ToBeDeletedByClusterAutoscaler")]);
    let mut late = node("c", "us-east-1a");
    late["status"]["conditions"][0]["status"] = json!("Unknown");
    dump.0.push(late);
    let problem = translated(&dump.bytes()).problem;
    assert_eq!(problem.pools.len(), 1);
    assert!(problem.pools[0].taints.is_empty());
    assert!(
        problem
            .current
            .unwrap()
            .nodes
            .iter()
            .all(|node| node.cordoned)
    );
}

#[test]
fn nodes_of_one_pool_with_other_taints_are_kept_apart() {
    let mut dump = Dump::new();
    dump.0.push(node("c", "us-east-1a"));
    dump.get("Node", "b")["spec"]["taints"] =
        json!([{"key": "mine", "value": "yes", "effect": "NoSchedule"}]);
    let problem = translated(&dump.bytes()).problem;
    let pools: Vec<_> = problem
        .pools
        .iter()
        .map(|pool| (pool.name.as_str(), pool.taints.len(), pool.nodes.max))
        .collect();
    assert_eq!(pools, [("web", 0, Some(5)), ("web.2", 1, Some(1))]);
}

#[test]
fn nodes_that_are_no_machines_are_left_out_with_their_workloads() {
    let mut dump = Dump::new();
    let mut fargate = node("f", "us-east-1a");
    fargate["metadata"]["labels"]["eks.amazonaws.com/compute-type"] = json!("fargate");
    dump.0.push(fargate);
    dump.workload("Deployment", "serverless", 2);
    dump.pod("serverless", "ReplicaSet", "serverless-5d9", Some("f"));
    dump.pod("serverless", "ReplicaSet", "serverless-5d9", Some("a"));
    let translation = translated(&dump.bytes());
    assert!(
        lists(&translation, "Node f: left out")
            && lists(&translation, "Deployment shop/serverless: left out")
    );
    assert_eq!(translation.problem.services.len(), 1);
    let nodes = translation.problem.current.unwrap().nodes;
    assert_eq!(
        (nodes.len(), nodes[0].foreign["pods"].0.as_str()),
        (2, "1"),
        "its pod on a machine stays there"
    );
}
