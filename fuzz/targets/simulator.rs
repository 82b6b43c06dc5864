//! The simulator's public functions on whatever arguments can be made of the bytes: registers, costs, starts and mixers of every kind,
//! angles and shares that make no sense among others.
//!
//! What is refused is refused with an error. What runs has a norm of one, an expectation within the cost's range, the same bits on every
//! instruction set, and about the same values in single precision.

#![no_main]

use ketscale_simulator::{
    Angles, Ansatz, Cost, InstructionSet, Limits, Mixer, Number, Objective, Register, Start, State,
    Table, Term, estimate,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Most basis states that are worked on: on most runs, and seldom.
const SMALL: usize = 1 << 9;
const LARGE: usize = 1 << 17;
/// Beyond, products of costs overflow, which is no number but no panic either.
const MODERATE: f64 = 1e100;

fuzz_target!(|bytes: &[u8]| {
    let _ = all(&mut Unstructured::new(bytes));
});

fn all(u: &mut Unstructured) -> Result<()> {
    let levels = levels(u)?;
    let limit = *u.choose(&[16 << 20, 16 << 20, 16 << 20, 1 << 14, 200, 0])?;
    let Ok(register) = Register::new(&levels) else {
        return Ok(());
    };
    let register = register.with_memory_limit(limit);
    ask(&register, u)?;
    let start = start(&register, u)?;
    if register.dimension() > LARGE {
        // Every cost is refused by the memory limit, or next to nothing.
        let _ = Cost::from_tables(&register, &[], 1.0);
        let _ = Cost::from_terms(&register, &terms(u)?, number(u)?);
        let _ = Cost::from_fn(&register, |_| 0.0);
        return Ok(());
    }
    if register.dimension() > SMALL && !seldom(u, 16)? {
        return Ok(());
    }
    let Some(cost) = cost(&register, u)? else {
        return Ok(());
    };
    describe(&cost, u)?;
    let mixer = *u.choose(&[Mixer::Complete, Mixer::Complete, Mixer::Path, Mixer::Ring])?;
    let start = start.unwrap_or_else(|| cost.uniform_start());
    let Ok(ansatz) = Ansatz::new(&cost, mixer, &start) else {
        return Ok(());
    };
    let angles = angles(u)?;
    let objective = objective(u)?;
    let double = run(&ansatz, &angles, objective, u)?;
    let Ok(ansatz) = ansatz.in_single_precision() else {
        return Ok(());
    };
    let single = run(&ansatz, &angles, objective, u)?;
    let range = cost.max() - cost.min();
    let largest = cost.max().abs().max(cost.min().abs());
    let phase = angles
        .gamma
        .iter()
        .map(|gamma| gamma.abs() * largest)
        .fold(0.0, f64::max);
    if let (Some(double), Some(single)) = (double, single)
        && phase < 1e3
    {
        // Subnormal numbers have few digits.
        let slack = 1e-3 * range + 1e-12 * largest + f64::MIN_POSITIVE;
        assert!(
            (double - single).abs() <= slack,
            "{double} in double precision, {single} in single"
        );
    }
    Ok(())
}

fn levels(u: &mut Unstructured) -> Result<Vec<usize>> {
    Ok(match u.int_in_range(0..=9)? {
        0 => u.arbitrary_iter()?.take(4).collect::<Result<_>>()?,
        1 => vec![u.int_in_range(0..=400)?],
        2 => vec![u.int_in_range(2..=200)?, u.int_in_range(2..=200)?],
        3..=5 => vec![2; u.int_in_range(0..=18)?],
        6 => {
            let huge = 1 << u.int_in_range(1..=63)?;
            vec![huge, u.int_in_range(1..=9)?]
        }
        _ => {
            let axes = u.int_in_range(1..=6)?;
            (0..axes)
                .map(|_| u.int_in_range(1..=6))
                .collect::<Result<_>>()?
        }
    })
}

/// True once in so many times, and never where the bytes are used up, which gives zeros.
fn seldom(u: &mut Unstructured, of: u8) -> Result<bool> {
    Ok(!u.ratio(of - 1, of)?)
}

/// A number of any kind.
fn number(u: &mut Unstructured) -> Result<f64> {
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => f64::from(u.arbitrary::<i8>()?),
        4 => f64::from(u.arbitrary::<i8>()?) / 8.0,
        5 => f64::from(u.arbitrary::<i32>()?) * 1e-9,
        6 => f64::from(u.arbitrary::<f32>()?),
        _ => u.arbitrary()?,
    })
}

fn numbers(u: &mut Unstructured, most: usize) -> Result<Vec<f64>> {
    let count = u.int_in_range(0..=most)?;
    (0..count).map(|_| number(u)).collect()
}

/// So many numbers, of which a few repeat.
fn many(u: &mut Unstructured, count: usize) -> Result<Vec<f64>> {
    let few = numbers(u, 12)?;
    let few = if few.is_empty() { vec![0.0] } else { few };
    let step = u.int_in_range(1..=7)?;
    Ok((0..count)
        .map(|at| few[(at / step + at * at) % few.len()])
        .collect())
}

fn variables(u: &mut Unstructured, axes: usize) -> Result<Vec<usize>> {
    let count = u.int_in_range(0..=3)?;
    let mut variables = Vec::new();
    for _ in 0..count {
        let any = if seldom(u, 100)? {
            u.arbitrary()?
        } else {
            u.int_in_range(0..=axes - 1)?
        };
        if !variables.contains(&any) || seldom(u, 100)? {
            variables.push(any);
        }
    }
    Ok(variables)
}

fn terms(u: &mut Unstructured) -> Result<Vec<Term>> {
    let count = u.int_in_range(0..=8)?;
    let axes = u.int_in_range(1..=18)?;
    let term = |_| {
        Ok(Term {
            variables: variables(u, axes)?,
            coefficient: number(u)?,
        })
    };
    (0..count).map(term).collect()
}

fn table(register: &Register, u: &mut Unstructured) -> Result<Table> {
    let variables = variables(u, register.levels().len())?;
    let levels = register.levels();
    let states = variables
        .iter()
        .map(|&axis| levels.get(axis).copied().unwrap_or(1))
        .product::<usize>();
    let states = if seldom(u, 100)? { states + 1 } else { states };
    Ok(Table {
        variables,
        values: many(u, states.min(LARGE))?,
    })
}

fn cost(register: &Register, u: &mut Unstructured) -> Result<Option<Cost>> {
    let axes = register.levels().len();
    let cost = match u.int_in_range(0..=5)? {
        0 => {
            let odd = usize::from(seldom(u, 50)?);
            Cost::table(register, many(u, register.dimension() + odd)?)
        }
        1 => {
            let weights = many(u, axes)?;
            let sum = |x: &[usize]| x.iter().zip(&weights).map(|(&x, w)| x as f64 * w).sum();
            Cost::from_fn(register, sum)
        }
        2 | 3 => {
            let count = u.int_in_range(0..=6)?;
            let tables: Vec<Table> = (0..count)
                .map(|_| table(register, u))
                .collect::<Result<_>>()?;
            Cost::from_tables(register, &tables, number(u)?)
        }
        kind => {
            let mut terms = terms(u)?;
            terms.retain(|term| {
                term.variables.iter().all(|&axis| axis < axes) || term.coefficient == 1.0
            });
            let offset = number(u)?;
            if kind == 4 {
                Cost::from_terms(register, &terms, offset)
            } else {
                Cost::from_bit_terms(register, &terms, offset)
            }
        }
    };
    Ok(cost.ok())
}

fn start(register: &Register, u: &mut Unstructured) -> Result<Option<Start>> {
    let levels = register.levels();
    Ok(match u.int_in_range(0..=5)? {
        0 => {
            let digits: Vec<usize> = levels
                .iter()
                .map(|&d| u.int_in_range(0..=d))
                .collect::<Result<_>>()?;
            let epsilon = u.int_in_range(0..=10)?;
            Start::warm(register, &digits, f64::from(epsilon) * 0.1).ok()
        }
        1 => Start::warm(register, &u.arbitrary::<Vec<usize>>()?, number(u)?).ok(),
        2 if register.dimension() < LARGE => {
            let odd = usize::from(seldom(u, 50)?);
            let axis = |&d: &usize| {
                let list = many(u, d + odd)?;
                let norm = list.iter().map(|a| a * a).sum::<f64>().sqrt();
                Ok(list.into_iter().map(|a| a / norm).collect())
            };
            let axes = levels.iter().map(axis).collect::<Result<_>>()?;
            Start::product(register, axes).ok()
        }
        3 => Start::product(register, vec![numbers(u, 4)?, numbers(u, 4)?]).ok(),
        _ => Start::uniform(register).ok(),
    })
}

fn angles(u: &mut Unstructured) -> Result<Angles> {
    let (mut gamma, mut beta) = (numbers(u, 4)?, numbers(u, 4)?);
    if !seldom(u, 50)? {
        let depth = gamma.len().min(beta.len());
        gamma.truncate(depth);
        beta.truncate(depth);
        // Most angles of a search are small.
        if u.ratio(2, 3)? {
            gamma
                .iter_mut()
                .chain(&mut beta)
                .for_each(|angle| *angle /= 64.0);
        }
    }
    assert!(Angles::new(&gamma, &beta).is_err() || gamma.len() == beta.len());
    Ok(Angles { gamma, beta })
}

fn objective(u: &mut Unstructured) -> Result<Objective> {
    Ok(match u.int_in_range(0..=3)? {
        0 | 1 => Objective::Expectation,
        2 => Objective::CVaR(f64::from(u.arbitrary::<u8>()?) / 255.0),
        _ => Objective::CVaR(number(u)?),
    })
}

/// What a register says of itself.
fn ask(register: &Register, u: &mut Unstructured) -> Result<()> {
    let _ = estimate(register, u.arbitrary()?);
    let index = u.arbitrary()?;
    match register.digits(index) {
        Ok(digits) => assert_eq!(register.index(&digits), Ok(index)),
        Err(_) => assert!(index >= register.dimension()),
    }
    let _ = register.index(&u.arbitrary::<Vec<usize>>()?);
    Ok(())
}

/// What a cost says of itself.
fn describe(cost: &Cost, u: &mut Unstructured) -> Result<()> {
    let values = cost.values();
    let dimension = cost.register().dimension();
    assert_eq!(values.len(), dimension);
    assert!(values.iter().all(|c| (cost.min()..=cost.max()).contains(c)));
    assert!(cost.minimum_count() >= 1);
    assert_eq!(cost.value(cost.minimum_index()), Some(cost.min()));
    assert!(cost.standard_deviation() >= 0.0);
    let slack = 1e-9 * (cost.max() - cost.min()) + 1e-12 * cost.min().abs();
    assert!(cost.mean() >= cost.min() - slack && cost.mean() <= cost.max() + slack);
    let index = u.arbitrary()?;
    assert_eq!(cost.value(index), values.get(index).copied());
    assert_eq!(cost.value(dimension - 1).as_ref(), values.last());
    Ok(())
}

/// Runs a circuit in every way and gives its expectation.
fn run<T: Number + PartialEq>(
    ansatz: &Ansatz<T>,
    angles: &Angles,
    objective: Objective,
    u: &mut Unstructured,
) -> Result<Option<f64>> {
    let depth = u.arbitrary()?;
    let _ = (
        ansatz.estimate(depth),
        ansatz.work(depth),
        ansatz.gradient_work(depth),
    );
    let stop = std::sync::atomic::AtomicBool::new(seldom(u, 50)?);
    let limits = Limits::new(Some(&stop), u.arbitrary()?);
    let evaluated = ansatz.evaluate(objective, angles, &limits);
    let _ = ansatz.evaluate_all(objective, &[angles.clone(), Angles::default()], &limits);
    let gradient = ansatz.gradient(objective, angles, &limits);
    let Ok(state) = ansatz.evolve(angles, &Limits::none()) else {
        assert!(evaluated.is_err() && gradient.is_err());
        return Ok(None);
    };
    let cost = ansatz.cost();
    let small = cost.register().dimension() <= SMALL;
    for isa in InstructionSet::available() {
        if small {
            let other = ansatz.clone().with_instruction_set(isa);
            let other = other.evolve(angles, &Limits::none()).expect("as before");
            assert!(
                other.amplitudes() == state.amplitudes(),
                "other bits with {}",
                isa.name()
            );
            assert_eq!(other.expectation().to_bits(), state.expectation().to_bits());
        }
    }
    let range = cost.max() - cost.min();
    let expectation = state.expectation();
    let slack = if size_of::<T>() == 8 { 1e-9 } else { 1e-4 } * range
        + 1e-12 * cost.max().abs().max(cost.min().abs());
    let norm = state.norm();
    assert!(
        (norm - 1.0).abs() < if size_of::<T>() == 8 { 1e-6 } else { 1e-4 },
        "norm {norm}"
    );
    assert!(
        expectation >= cost.min() - slack && expectation <= cost.max() + slack,
        "⟨C⟩ = {expectation}"
    );
    if range < MODERATE
        && let Ok(value) = evaluated
        && let Ok(found) = state.objective(objective)
    {
        assert!(
            (value - found).abs() <= slack,
            "evaluated {value}, of the state {found}"
        );
    }
    if range < MODERATE
        && let Ok(gradient) = gradient
    {
        let finite = gradient
            .gamma
            .iter()
            .chain(&gradient.beta)
            .all(|slope| slope.is_finite());
        assert!(finite && gradient.value.is_finite(), "{gradient:?}");
    }
    measure(&state, u)?;
    Ok(Some(expectation))
}

/// Everything that a state is asked.
fn measure<T: Number>(state: &State<T>, u: &mut Unstructured) -> Result<()> {
    let dimension = state.cost().register().dimension();
    let index = u.arbitrary()?;
    assert_eq!(state.amplitude(index).is_some(), index < dimension);
    assert!(state.amplitude(dimension - 1).is_some());
    let probabilities = state.probabilities();
    assert_eq!(probabilities.len(), dimension);
    for axis in state.marginals() {
        assert!((axis.iter().sum::<f64>() - state.norm()).abs() < 1e-9);
    }
    assert!(!(state.variance() < 0.0));
    let minimum = state.probability_of_minimum();
    assert!((0.0..1.001).contains(&minimum));
    let shots = u64::from(u.arbitrary::<u16>()? / 64);
    let samples = state.sample(shots, u.arbitrary()?);
    assert_eq!(samples.iter().map(|(_, count)| count).sum::<u64>(), shots);
    assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(samples.iter().all(|&(index, _)| probabilities[index] > 0.0));
    let k = if u.ratio(1, 2)? {
        u.int_in_range(0..=20)?
    } else {
        u.arbitrary()?
    };
    let top = state.top(k);
    assert_eq!(top.len(), k.min(dimension));
    assert!(top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    let alpha = if u.ratio(1, 2)? {
        f64::from(u.arbitrary::<u8>()?) / 255.0
    } else {
        number(u)?
    };
    let (quantile, cvar) = (state.quantile(alpha), state.cvar(alpha));
    assert_eq!(quantile.is_ok(), alpha > 0.0 && alpha <= 1.0);
    if let (Ok(quantile), Ok(cvar)) = (quantile, cvar) {
        let cost = state.cost();
        assert!((cost.min()..=cost.max()).contains(&quantile));
        assert!(
            !(cvar > quantile),
            "CVaR {cvar} above the quantile {quantile}"
        );
    }
    Ok(())
}
