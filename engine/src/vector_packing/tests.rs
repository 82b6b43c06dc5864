use std::sync::atomic::AtomicBool;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn unlimited(work: Option<u64>, instance: &Instance) -> Solution {
    let stop = AtomicBool::new(false);
    solve(instance, &Limits::new(&stop, work))
}

/// Up to seven items of two or three kinds of bins, some with no limit, some items making room.
fn random(seed: u64) -> Instance {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let dimensions = random.random_range(1..=3);
    let makes_room = random.random_bool(0.15);
    let bins = (0..random.random_range(1..=3)).map(|_| Bin {
        capacity: (0..dimensions)
            .map(|_| random.random_range(4..14))
            .collect(),
        cost: random.random_range(1..6) * 10,
        count: random.random_bool(0.6).then(|| random.random_range(1..4)),
    });
    let bins: Vec<Bin> = bins.collect();
    let items = (0..random.random_range(1..=6)).map(|_| Item {
        size: (0..dimensions)
            .map(|_| random.random_range(if makes_room { -2 } else { 0 }..10))
            .collect(),
        count: random.random_range(1..=2),
    });
    let items = items.collect();
    Instance::new(bins, items).unwrap()
}

/// The least cost, by putting every item into every bin that is open or could be opened.
fn least_cost(instance: &Instance) -> Option<u64> {
    let items: Vec<usize> = instance
        .items
        .iter()
        .enumerate()
        .flat_map(|(kind, item)| (0..item.count).map(move |_| kind))
        .collect();
    let mut best = None;
    place(instance, &items, &mut Vec::new(), &mut best);
    best
}

fn place(instance: &Instance, items: &[usize], open: &mut Vec<Pattern>, best: &mut Option<u64>) {
    let Some((item, rest)) = items.split_first() else {
        if open.iter().all(|pattern| instance.holds(pattern)) {
            let cost = instance.cost(open);
            *best = Some(best.map_or(cost, |best| best.min(cost)));
        }
        return;
    };
    for at in 0..open.len() {
        let before = open[at].clone();
        match open[at].items.iter_mut().find(|(kind, _)| kind == item) {
            Some((_, count)) => *count += 1,
            None => open[at].items.push((*item, 1)),
        }
        place(instance, rest, open, best);
        open[at] = before;
    }
    for bin in 0..instance.bins.len() {
        let used = open.iter().filter(|pattern| pattern.bin == bin).count();
        if instance.bins[bin]
            .count
            .is_none_or(|count| used < count as usize)
        {
            open.push(Pattern {
                bin,
                items: vec![(*item, 1)],
            });
            place(instance, rest, open, best);
            open.pop();
        }
    }
}

#[test]
fn the_solution_is_what_trying_all_packings_finds() {
    let mut statuses = [0; 2];
    for seed in 0..400 {
        let instance = random(seed);
        if instance.items.iter().map(|item| item.count).sum::<u32>() > 7 {
            continue;
        }
        let solution = unlimited(None, &instance);
        match least_cost(&instance) {
            Some(least) => {
                assert_eq!(
                    (solution.status, solution.cost, solution.bound),
                    (Status::Optimal, Some(least), least),
                    "seed {seed}: {instance:?}"
                );
                assert!(instance.is_packing(&solution.packing), "seed {seed}");
                statuses[0] += 1;
            }
            None => {
                // What makes room may keep a search from proving that there is none.
                let sure = solution.status == Status::Infeasible;
                assert!(
                    sure || (solution.status == Status::Unknown
                        && !(0..instance.items.len()).all(|item| instance.only_takes_room(item))),
                    "seed {seed}: {instance:?}"
                );
                assert_eq!(solution.cost, None, "seed {seed}");
                statuses[1] += u32::from(sure);
            }
        }
    }
    assert!(statuses[0] > 100 && statuses[1] > 10, "{statuses:?}");
}

#[test]
fn a_search_cut_short_tells_no_wrong_bound() {
    for seed in 0..400 {
        let instance = random(seed);
        if instance.items.iter().map(|item| item.count).sum::<u32>() > 7 {
            continue;
        }
        let least = least_cost(&instance);
        for work in [0, 250, 700] {
            let solution = unlimited(Some(work), &instance);
            assert!(
                least.is_none_or(|least| solution.bound <= least),
                "seed {seed}, {work} units: {solution:?}, least {least:?}"
            );
            assert!(
                solution
                    .cost
                    .is_none_or(|cost| least.is_some_and(|least| least <= cost)),
                "seed {seed}"
            );
            assert_eq!(
                solution.cost.is_some(),
                !solution.packing.is_empty(),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn equal_items_are_never_told_apart() {
    let bin = Bin {
        capacity: vec![100, 100],
        cost: 1,
        count: None,
    };
    let items = [
        (vec![30, 10], 30_000),
        (vec![10, 40], 20_000),
        (vec![51, 1], 10_000),
    ];
    let items = items
        .into_iter()
        .map(|(size, count)| Item { size, count })
        .collect();
    let instance = Instance::new(vec![bin], items).unwrap();
    let solution = unlimited(None, &instance);
    let cost = solution.cost.unwrap();
    assert!(
        cost - solution.bound <= 3,
        "{cost} against {}",
        solution.bound
    );
}

#[test]
fn items_that_all_make_room_do_not_outrun_the_limits() {
    let bin = Bin {
        capacity: vec![20, 20],
        cost: 1,
        count: None,
    };
    let item = |i: i64| Item {
        size: vec![7 + i % 5, -1 - i % 3],
        count: 3,
    };
    let instance = Instance::new(vec![bin], (0..60).map(item).collect()).unwrap();
    let solution = unlimited(Some(20_000), &instance);
    assert!(solution.cost.is_some_and(|cost| solution.bound <= cost));
}

#[test]
fn names_are_those_of_the_file() {
    let instance = read(b"1\n10\n3\n6 1\n4 2\n6 1\n").unwrap();
    assert_eq!(instance.items.len(), 2);
    let solution = unlimited(None, &instance);
    let mut assignment = instance.assignment(&solution.packing);
    assignment.sort();
    assert_eq!(solution.cost, Some(2));
    assert_eq!(assignment, [vec![0, 1], vec![1, 2]]);
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_line() {
    let faults = read(b"2\n10 x\n2\n1 2 0\n3 -9999999999999999999 1\n").unwrap_err();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(
        faults[0].contains("line 2")
            && faults[1].contains("line 4")
            && faults[2].contains("line 5"),
        "{faults:?}"
    );
    for (text, expected) in [
        ("", "the file ends"),
        ("2 10", "dimensions"),
        ("1\n10\n2\n5 1\n", "need 4 numbers"),
        ("1\n10\n1\n5 1 7\n", "need 2 numbers"),
        (
            "{\"computerList\": [], \"processList\": []}",
            "computerList: is empty",
        ),
        ("{\"computerList\": 3}", "line 1"),
        ("1\n10\n2\n5 1000000\n5 1\n", "1000001 items in all"),
    ] {
        let faults = read(text.as_bytes()).unwrap_err();
        assert!(faults[0].contains(expected), "{text:?}: {faults:?}");
    }
    assert!(read(&[0xff, 0xfe]).is_err());
}
