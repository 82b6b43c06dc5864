//! All that is asked of a Prometheus, at one time.

use futures::future::try_join_all;

use super::LiveError;
use crate::prometheus::{Client, Family, Moment, PrometheusError, Queries, WorkloadQuery};

/// The answers to [`Queries`], under the same names.
pub(super) struct Answers {
    pub(super) deployment_replicas: Family,
    pub(super) statefulset_replicas: Family,
    pub(super) pods: Family,
    pub(super) running_pods: Family,
    pub(super) terminating_pods: Family,
    pub(super) replicaset_owners: Family,
    pub(super) container_requests: Family,
    pub(super) init_container_requests: Family,
    pub(super) sidecars: Family,
    pub(super) overhead_cpu: Family,
    pub(super) overhead_memory: Family,
    pub(super) nodes: Family,
    pub(super) node_labels: Family,
    pub(super) node_unschedulable: Family,
    pub(super) node_ready: Family,
    pub(super) cpu_use: Family,
    pub(super) memory_peak: Family,
    pub(super) request_rate: Vec<WorkloadFamily>,
    pub(super) latency_p95: Vec<WorkloadFamily>,
    pub(super) node_price: Family,
}

/// A family whose labels name a service.
pub(super) struct WorkloadFamily {
    pub(super) family: Family,
    pub(super) namespace_label: String,
    pub(super) name_label: String,
}

impl Answers {
    pub(super) async fn read(
        client: &Client,
        queries: &Queries,
        moment: &Moment,
    ) -> Result<Self, PrometheusError> {
        let ask = |query| Family::read(client, queries, query, moment);
        let ask_all = |list: &'_ [WorkloadQuery]| {
            try_join_all(
                list.iter()
                    .cloned()
                    .map(|query| workload(client, queries, query, moment)),
            )
        };
        let cluster = async {
            futures::try_join!(
                ask(&queries.deployment_replicas),
                ask(&queries.statefulset_replicas),
                ask(&queries.pods),
                ask(&queries.running_pods),
                ask(&queries.terminating_pods),
                ask(&queries.replicaset_owners),
                ask(&queries.nodes),
                ask(&queries.node_labels),
                ask(&queries.node_unschedulable),
                ask(&queries.node_ready),
                ask(&queries.node_price),
            )
        };
        let requests = async {
            futures::try_join!(
                ask(&queries.container_requests),
                ask(&queries.init_container_requests),
                ask(&queries.sidecars),
                ask(&queries.overhead_cpu),
                ask(&queries.overhead_memory),
            )
        };
        let load = async {
            futures::try_join!(
                ask(&queries.cpu_use),
                ask(&queries.memory_peak),
                ask_all(&queries.request_rate),
                ask_all(&queries.latency_p95),
            )
        };
        let (cluster, requests, load) = futures::try_join!(cluster, requests, load)?;
        Ok(Self {
            deployment_replicas: cluster.0,
            statefulset_replicas: cluster.1,
            pods: cluster.2,
            running_pods: cluster.3,
            terminating_pods: cluster.4,
            replicaset_owners: cluster.5,
            nodes: cluster.6,
            node_labels: cluster.7,
            node_unschedulable: cluster.8,
            node_ready: cluster.9,
            node_price: cluster.10,
            container_requests: requests.0,
            init_container_requests: requests.1,
            sidecars: requests.2,
            overhead_cpu: requests.3,
            overhead_memory: requests.4,
            cpu_use: load.0,
            memory_peak: load.1,
            request_rate: load.2,
            latency_p95: load.3,
        })
    }

    /// Refuses metrics whose labels are those of their exporter.
    pub(super) fn check_labels(&self, url: &str) -> Result<(), LiveError> {
        let carries = |label: &&str| {
            self.pods
                .samples
                .iter()
                .any(|sample| !sample.label(label).is_empty())
        };
        match ["exported_pod", "exported_namespace"]
            .into_iter()
            .find(carries)
        {
            Some(label) => Err(LiveError::HonorLabels {
                url: url.to_owned(),
                label,
            }),
            None => Ok(()),
        }
    }
}

async fn workload(
    client: &Client,
    queries: &Queries,
    query: WorkloadQuery,
    moment: &Moment,
) -> Result<WorkloadFamily, PrometheusError> {
    let family = Family::read(client, queries, &query.query(), moment).await?;
    Ok(WorkloadFamily {
        family,
        namespace_label: queries.expand(&query.namespace_label),
        name_label: queries.expand(&query.name_label),
    })
}
