//! Every gauge: its name, its words, and how it is read off the latest cycle.

use super::latest::{Latest, Money, PoolFigures, ReplicaFigures, ServiceFigures};

/// Further labels of a series beside `problem`, and its value.
type Point = (Vec<(&'static str, String)>, f64);

/// A gauge with the label `problem` and those of its points.
pub(super) struct Gauge {
    /// Full name.
    pub(super) name: &'static str,
    /// What it tells, with its unit.
    pub(super) help: &'static str,
    /// Its points; none where the figure is not known.
    pub(super) values: fn(&Latest) -> Vec<Point>,
}

/// All of them, in the order of `docs/metrics.md`.
pub(super) const GAUGES: [Gauge; 20] = [
    Gauge {
        name: "ketscale_last_cycle_timestamp_seconds",
        help: "When the last cycle began, in seconds since the Unix epoch",
        values: |latest| one(Some(latest.at_seconds)),
    },
    Gauge {
        name: "ketscale_observation_age_seconds",
        help: "Age of the oldest reading that the last cycle used",
        values: |latest| one(latest.age_seconds),
    },
    Gauge {
        name: "ketscale_observation_gaps",
        help: "Values that the last cycle could not read",
        values: |latest| one(Some(f64::from(latest.gaps))),
    },
    Gauge {
        name: "ketscale_plan_in_force_timestamp_seconds",
        help: "When the plan in force was published, in seconds since the Unix epoch",
        values: |latest| one(latest.in_force_since_seconds),
    },
    Gauge {
        name: "ketscale_plan_cost_usd_per_hour",
        help: "Cost of the plan made last, in US dollars an hour",
        values: |latest| of_plan(latest, |money| money.cost),
    },
    Gauge {
        name: "ketscale_current_cost_usd_per_hour",
        help: "Cost of what ran when the last plan was made, in US dollars an hour",
        values: |latest| of_plan(latest, |money| money.current),
    },
    Gauge {
        name: "ketscale_baseline_cost_usd_per_hour",
        help: "Cost of what the stock autoscalers would do, made feasible, in US dollars an hour",
        values: |latest| of_plan(latest, |money| money.baseline),
    },
    Gauge {
        name: "ketscale_plan_bound_usd_per_hour",
        help: "Proven lower bound on the cost of every feasible plan, in US dollars an hour",
        values: |latest| of_plan(latest, |money| money.bound),
    },
    Gauge {
        name: "ketscale_plan_gap_ratio",
        help: "Distance of the last plan's cost from its bound, as a ratio",
        values: |latest| of_plan(latest, |money| money.gap),
    },
    Gauge {
        name: "ketscale_load_requests_per_second",
        help: "Load of a service as read",
        values: |latest| of_services(latest, |service| service.load_rps),
    },
    Gauge {
        name: "ketscale_demand_requests_per_second",
        help: "Load of a service that is planned for: the chosen quantile of its forecast",
        values: |latest| of_services(latest, |service| service.demand_rps),
    },
    Gauge {
        name: "ketscale_replicas_now",
        help: "Replicas of a service in a cluster as read",
        values: |latest| of_clusters(latest, |replicas| replicas.now),
    },
    Gauge {
        name: "ketscale_replicas_planned",
        help: "Replicas of a service in a cluster in the plan in force",
        values: |latest| of_clusters(latest, |replicas| replicas.planned),
    },
    Gauge {
        name: "ketscale_nodes_now",
        help: "Nodes of a pool as read",
        values: |latest| of_pools(latest, |pool| pool.now),
    },
    Gauge {
        name: "ketscale_nodes_planned",
        help: "Nodes of a pool in the plan in force",
        values: |latest| of_pools(latest, |pool| pool.planned),
    },
    Gauge {
        name: "ketscale_held_services",
        help: "Services that the last cycle held as they are, for want of readings that it believes",
        values: |latest| one(Some(f64::from(latest.held_services))),
    },
    Gauge {
        name: "ketscale_warning_seconds",
        help: "Seconds until what is warned of happens, such as a service that no longer carries its load; negative where it has happened",
        values: |latest| {
            let points = latest.warnings.iter();
            let point = |((subject, constraint), seconds): (&(String, String), &f64)| {
                let labels = vec![
                    ("subject", subject.clone()),
                    ("constraint", constraint.clone()),
                ];
                (labels, *seconds)
            };
            points.map(point).collect()
        },
    },
    Gauge {
        name: "ketscale_refused_offerings",
        help: "Offerings that are avoided for a while because a provider refused them",
        values: |latest| one(Some(f64::from(latest.refused_offerings))),
    },
    Gauge {
        name: "ketscale_month_spend_usd",
        help: "Spend on nodes since the month began, in US dollars",
        values: |latest| one(latest.month_usd),
    },
    Gauge {
        name: "ketscale_month_forecast_usd",
        help: "Spend on nodes forecast for the whole month, in US dollars",
        values: |latest| one(latest.month_end_usd),
    },
];

fn one(value: Option<f64>) -> Vec<Point> {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

fn of_plan(latest: &Latest, value: fn(&Money) -> Option<f64>) -> Vec<Point> {
    one(latest.made.as_ref().and_then(|made| value(&made.money)))
}

fn of_services(latest: &Latest, value: fn(&ServiceFigures) -> Option<f64>) -> Vec<Point> {
    let point =
        |service: &ServiceFigures| Some((vec![("service", service.name.clone())], value(service)?));
    latest.services.iter().filter_map(point).collect()
}

fn of_clusters(latest: &Latest, value: fn(&ReplicaFigures) -> Option<u32>) -> Vec<Point> {
    let mut points = Vec::new();
    for service in &latest.services {
        for replicas in &service.replicas {
            let labels = || {
                vec![
                    ("service", service.name.clone()),
                    ("cluster", replicas.cluster.clone()),
                ]
            };
            points.extend(value(replicas).map(|count| (labels(), f64::from(count))));
        }
    }
    points
}

fn of_pools(latest: &Latest, value: fn(&PoolFigures) -> Option<u32>) -> Vec<Point> {
    let point =
        |pool: &PoolFigures| Some((vec![("pool", pool.name.clone())], f64::from(value(pool)?)));
    latest.pools.iter().filter_map(point).collect()
}
