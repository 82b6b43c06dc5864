//! The readers of files: whatever bytes they get, they answer, and what they accept can be worked with.
//!
//! A model that is read is written and read again; one on a small register gets a cost, a circuit and every solver.

#![no_main]

use ketscale_optimizer::simulator::Ansatz;
use ketscale_optimizer::{
    Angles, Cost, Limits, Mixer, Model, Register, Start, anneal, enumerate, qaoa, search, uniform,
};
use libfuzzer_sys::fuzz_target;

const MEMORY_BYTES: u64 = 16 << 20;
/// Most basis states of a register that the solvers work on.
const SMALL: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let angles = Model::parse_angles(bytes);
    for levels in [&[2, 3][..], &[2, 2, 2], &[4], &[usize::MAX]] {
        let register = Register::new(levels)
            .expect("at least two levels")
            .with_memory_limit(MEMORY_BYTES);
        if let Ok(start) = Model::parse_start(bytes, &register) {
            begin(&register, &start);
        }
    }
    if let Ok(angles) = angles {
        assert_eq!(angles.gamma.len(), angles.beta.len());
        let cost = Cost::from_fn(&small(), |x| (x[0] + 2 * x[1]) as f64);
        run(&cost.expect("a small cost"), &angles);
    }
    if let Ok(model) = Model::parse(bytes) {
        let written = model.to_json().to_string();
        assert_eq!(Model::parse(written.as_bytes()).as_ref(), Ok(&model));
        if let Ok(cost) = model.cost(MEMORY_BYTES)
            && cost.register().dimension() <= SMALL
        {
            solve(&cost);
        }
    }
});

fn small() -> Register {
    Register::new(&[2, 3]).expect("a small register")
}

fn begin(register: &Register, start: &Start) {
    let Ok(cost) = Cost::from_tables(register, &[], 1.0) else {
        return;
    };
    let ansatz = Ansatz::new(&cost, Mixer::Complete, start).expect("a start of this register");
    let state = ansatz.evolve(&Angles::default(), &Limits::none());
    assert!((state.expect("a small state").norm() - 1.0).abs() < 1e-6);
}

fn run(cost: &Cost, angles: &Angles) {
    let ansatz =
        Ansatz::new(cost, Mixer::Complete, &cost.uniform_start()).expect("a uniform start");
    if let Ok(state) = ansatz.evolve(angles, &Limits::none()) {
        assert!((state.norm() - 1.0).abs() < 1e-6);
    }
}

fn solve(cost: &Cost) {
    let values = cost.values();
    assert!(values.iter().all(|c| (cost.min()..=cost.max()).contains(c)));
    assert_eq!(cost.value(cost.minimum_index()), Some(cost.min()));
    let best = enumerate(cost, 3).best().map(|sample| sample.cost);
    assert_eq!(best, Some(cost.min()));
    assert_eq!(uniform(cost, 50, 1).total(), 50);
    let settings = anneal::Settings {
        evaluations: 50,
        ..anneal::Settings::default()
    };
    let table = |index: usize, _: &[usize]| values[index];
    let annealed = anneal(cost.register(), table, &settings, &Limits::none());
    assert_eq!(annealed.map(|samples| samples.total()), Ok(50));
    let settings = qaoa::Settings {
        depth: 2,
        max_evaluations: 8,
        shots: 50,
        starts: 2,
        ..qaoa::Settings::default()
    };
    for mixer in [Mixer::Complete, Mixer::Path] {
        // Costs that are too large for every candidate's angles are refused.
        if let Ok(found) = search(
            cost,
            mixer,
            &cost.uniform_start(),
            &settings,
            &Limits::none(),
        ) {
            assert_eq!(found.samples.total(), 50);
        }
    }
}
