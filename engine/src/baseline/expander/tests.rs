//! Scores worked out by hand from the definitions, and the examples of upstream's tests and proposal.

use super::*;

fn size(cores: f64, gib: f64) -> Size {
    Size {
        cores,
        gib,
        gpus: 0.0,
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// `expander/waste/waste_test.go`: one pod of half a core and 1000 Mi, groups that differ in memory and CPU.
#[test]
fn least_waste_takes_the_group_that_has_least_to_spare() {
    let pod = size(0.5, 1000.0 / 1024.0);
    let offer = |cores: f64, pods_of_memory: f64| Offer {
        nodes: 1,
        node: size(cores, pods_of_memory * pod.gib),
        pods: pod,
        ..Offer::default()
    };
    let score = |offer| Expander::LeastWaste.score(&offer);
    let (balanced, high_memory, low_cpu) = (offer(8.0, 16.0), offer(8.0, 32.0), offer(4.0, 16.0));
    assert!(near(score(balanced), 15.0 / 16.0 + 15.0 / 16.0));
    assert!(near(score(high_memory), 15.0 / 16.0 + 31.0 / 32.0));
    assert!(near(score(low_cpu), 7.0 / 8.0 + 15.0 / 16.0));
    assert!(score(low_cpu) < score(balanced) && score(balanced) < score(high_memory));
}

/// Waste is over all nodes that the group would add: three pods on two nodes of two waste a quarter, not half of the last.
#[test]
fn waste_is_over_all_nodes_added() {
    let offer = Offer {
        nodes: 2,
        node: size(2.0, 4.0),
        pods: size(3.0, 3.0),
        ..Offer::default()
    };
    assert!(near(Expander::LeastWaste.score(&offer), 0.25 + 0.625));
}

/// `proposals/pricing.md`: how an unfitness of 4 is suppressed as more nodes are added.
#[test]
fn unfitness_matters_less_with_more_nodes() {
    for (nodes, expected) in [
        (1, 4.0),
        (2, 3.800_296),
        (5, 3.218_439),
        (10, 2.388_851),
        (50, 1.008_712),
    ] {
        let pods = size(10.0, 40.0);
        // Nodes that cost what perfectly fitting ones would, so that only fitness counts.
        let offer = Offer {
            nodes,
            node: size(2.0, 7.5),
            usd_per_hour: pods.usd_per_hour() / f64::from(nodes),
            pods,
            cluster_nodes: 30,
        };
        assert!(near(Expander::Price.score(&offer), expected), "{nodes}");
    }
}

/// (0.2 + x) / (0.042066 + x) with x = 0.5 · 0.033174 + 500/1024 · 0.004446 and one core with 2 GiB of pods.
#[test]
fn price_is_a_ratio_steadied_by_a_small_pod() {
    let offer = Offer {
        nodes: 1,
        node: size(4.0, 16.0),
        usd_per_hour: 0.2,
        pods: size(1.0, 2.0),
        cluster_nodes: 7,
    };
    let steady = 0.016_587 + 0.002_170_898;
    let expected = (0.2 + steady) / (0.042_066 + steady);
    assert!(near(Expander::Price.score(&offer), expected));
}

#[test]
fn the_preferred_node_grows_with_the_cluster() {
    let sizes = [2, 3, 6, 7, 20, 21, 60, 61, 200, 201].map(preferred_cores);
    assert_eq!(sizes, [1.0, 2.0, 2.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0, 32.0]);
}

#[test]
fn nodes_with_gpus_are_unattractive_whatever_their_size() {
    let pods = size(4.0, 16.0);
    let plain = Offer {
        nodes: 1,
        node: pods,
        usd_per_hour: pods.usd_per_hour(),
        pods,
        cluster_nodes: 7,
    };
    let with_gpus = Offer {
        node: Size { gpus: 1.0, ..pods },
        ..plain
    };
    assert!(near(Expander::Price.score(&plain), 1.0));
    assert!(near(Expander::Price.score(&with_gpus), 1000.0));
}
