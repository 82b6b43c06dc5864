//! Costs and phases.

use super::*;

/// Costs of pairs, against their sums one by one: of rows as wide as an axis has levels, which need be no whole vectors.
pub(super) fn pair_costs<T: Number>(case: &Case) {
    let (own, width) = (case.costs::<T>(), case.d);
    let (rows, columns) = (&case.arrays[0], &case.arrays[1][..width]);
    let expected: Vec<f64> = (0..own.len() / width * width)
        .map(|at| own[at] + (rows[at / width] + columns[at % width]))
        .collect();
    for isa in InstructionSet::available() {
        let mut found = vec![f64::NAN; expected.len()];
        isa.costs::<T>(&mut found, own, rows, columns);
        assert!(found == expected, "{} {}", T::NAME, isa.name());
    }
}

/// The phases of a list of costs.
fn phases_of<T: Number>(costs: &[f64], angle: Angle) -> (Vec<T>, Vec<T>) {
    let mut phases = (costs.to_vec(), costs.to_vec());
    InstructionSet::SCALAR.phases(costs, angle, &mut phases.0, &mut phases.1);
    let rounded = |list: Vec<f64>| list.into_iter().map(T::from_f64).collect();
    (rounded(phases.0), rounded(phases.1))
}

/// Phases of `d · d` rows by factors, against the phases of the sums.
fn split_phases<T: Number>(case: &Case) {
    let d = case.d;
    let width = case.array::<T>(0).len() / (d * d) / T::LANES * T::LANES;
    if width == 0 {
        return;
    }
    let rows = &case.matrix[0];
    let factors: Vec<f64> = (0..(2 * d - 1) * width)
        .map(|at| (at as f64).sin())
        .collect();
    let sum = |at: usize| {
        let (row, column) = (at / width, at % width);
        let factor = |digit: usize, first: usize| match digit {
            0 => 0.0,
            _ => factors[(first + digit - 1) * width + column],
        };
        rows[row] + factors[column] + factor(row % d, 1) + factor(row / d, d)
    };
    let costs: Vec<f64> = (0..d * d * width).map(sum).collect();
    let angle = Angle {
        gamma: 0.7,
        offset: 0.2,
    };
    let unit = Angle {
        offset: 0.0,
        ..angle
    };
    let (rows, factors) = (phases_of::<T>(rows, angle), phases_of::<T>(&factors, unit));
    let products = Product::all(&[d, d]);
    let found = case.arrays::<T>(|isa, re, im| {
        let mut places = [(); 2].map(|()| vec![T::default(); 3 * width]);
        let [places_re, places_im] = &mut places;
        let (re, im) = (&mut re[..costs.len()], &mut im[..costs.len()]);
        let (rows, factors) = ((&*rows.0, &*rows.1), (&*factors.0, &*factors.1));
        isa.phase_split(re, im, rows, factors, &products, (places_re, places_im));
    });
    let expected = case.arrays::<T>(|isa, re, im| {
        isa.phase(
            &mut re[..costs.len()],
            &mut im[..costs.len()],
            &costs,
            angle,
        );
    });
    let found = found.0.iter().chain(&found.1);
    let pairs = found.zip(expected.0.iter().chain(&expected.1));
    pairs.for_each(|(a, b)| assert!((a.to_f64() - b.to_f64()).abs() < 2e-6));
}

/// Every kernel of phases, against each other.
pub(super) fn check<T: Number>(case: &Case) {
    let [gamma, offset] = case.angles;
    let (costs, angle) = (
        case.costs::<T>(),
        Angle {
            gamma: 1e3 * gamma,
            offset,
        },
    );
    let at_once = case.arrays::<T>(|isa, re, im| isa.phase(re, im, costs, angle));
    let (re, im) = case.arrays::<T>(|isa, re, im| isa.phases(costs, angle, re, im));
    let in_order: Vec<u16> = (0..re.len() as u16).collect();
    let by_table = case.arrays::<T>(|isa, a, b| isa.phase_steps(a, b, &in_order, (&re, &im)));
    for (a, b) in at_once
        .0
        .iter()
        .chain(&at_once.1)
        .zip(by_table.0.iter().chain(&by_table.1))
    {
        assert!((a.to_f64() - b.to_f64()).abs() < 1e-6);
    }
    split_phases::<T>(case);
    let steps: Vec<u16> = (0..re.len()).map(|at| (at * 7 % re.len()) as u16).collect();
    let in_steps = case.arrays::<T>(|isa, a, b| isa.phase_steps(a, b, &steps, (&re, &im)));
    let looked_up =
        |list: &[T]| -> Vec<T> { steps.iter().map(|&step| list[usize::from(step)]).collect() };
    let (re_there, im_there) = (looked_up(&re), looked_up(&im));
    let by_list =
        case.arrays::<T>(|isa, a, b| isa.phase_steps(a, b, &in_order, (&re_there, &im_there)));
    assert_eq!(in_steps, by_list);
    // Rows and columns of ones change nothing.
    let (one, zero) = (
        vec![T::from_f64(1.0); re.len()],
        vec![T::default(); re.len()],
    );
    let width = case.stride * T::LANES;
    let rows = (&one[..re.len() / width], &zero[..re.len() / width]);
    let columns = (&one[..width], &zero[..width]);
    let by_product =
        case.arrays::<T>(|isa, a, b| isa.phase_product(a, b, (&re, &im), rows, columns));
    assert_eq!(by_product, by_table);
    let other = [case.array::<T>(2), case.array::<T>(3)];
    case.arrays::<T>(|isa, a, b| {
        let columns = (&other[0][..width], &other[1][..width]);
        let rows = (&other[1][..re.len() / width], &other[0][..re.len() / width]);
        isa.phase_product(a, b, (&re, &im), rows, columns);
    });
    let weight = Weight {
        ceiling: gamma,
        center: offset,
    };
    case.arrays::<T>(|isa, re, im| isa.weigh((&other[0], &other[1]), re, im, costs, weight));
}
