//! What room in each dimension is worth.

use super::{Item, as_f64, most_that_fits};

/// Numbers that are summed side by side.
const LANES: usize = 8;

/// Prices of a unit of each dimension, at least 0, that make about the least of `Σ price · room + Σ most · max(0, value − Σ price · size)`,
/// by subgradients from some prices on where there are any, until steps are `least_pace` of the first ones. Less than `enough` is as good as any.
pub(super) fn prices(
    items: &[Item],
    room: &[i64],
    start: &[f64],
    steps: u32,
    enough: f64,
    least_pace: f64,
) -> Vec<f64> {
    let scale: Vec<f64> = room.iter().map(|room| as_f64(*room).max(1.0)).collect();
    let padding = items.len().next_multiple_of(LANES) - items.len();
    let column = |of: &dyn Fn(&Item) -> f64| -> Vec<f64> {
        let values = items.iter().map(of);
        values.chain(std::iter::repeat_n(0.0, padding)).collect()
    };
    let shares: Vec<Vec<f64>> = (0..room.len())
        .map(|k| column(&|item| as_f64(item.size[k].max(0)) / scale[k]))
        .collect();
    let value = column(&|item| as_f64(item.value));
    let most = column(&|item| f64::from(most_that_fits(item, room)));
    let mut prices = vec![0.0; room.len()];
    for ((price, start), scale) in prices.iter_mut().zip(start).zip(&scale) {
        *price = start * scale;
    }
    let mut best = (f64::INFINITY, prices.clone());
    let (mut gain, mut count) = (value.clone(), vec![0.0; value.len()]);
    let (mut pace, mut since) = (1.0, 0);
    for _ in 0..steps {
        gain.copy_from_slice(&value);
        for (price, shares) in prices.iter().zip(&shares) {
            let sizes = gain.iter_mut().zip(shares);
            sizes.for_each(|(gain, share)| *gain -= price * share);
        }
        for ((count, gain), most) in count.iter_mut().zip(&gain).zip(&most) {
            *count = if *gain > 0.0 { *most } else { 0.0 };
        }
        let bound = prices.iter().sum::<f64>() + dot(&gain, &count);
        since += 1;
        if bound < best.0 {
            since = if bound < best.0 * 0.999 { 0 } else { since };
            best.0 = bound;
            best.1.copy_from_slice(&prices);
        }
        if best.0 < enough {
            break;
        }
        if since > 5 {
            (pace, since) = (pace * 0.5, 0);
            prices.copy_from_slice(&best.1);
            if pace < least_pace {
                break;
            }
            continue;
        }
        let left: Vec<f64> = shares
            .iter()
            .map(|shares| 1.0 - dot(shares, &count))
            .collect();
        // A dimension with room to spare at price 0 asks for no less.
        let spare = |(left, price): (&f64, &f64)| *left > 0.0 && *price == 0.0;
        let asks = left.iter().zip(&prices).filter(|both| !spare(*both));
        let slope: f64 = asks.map(|(left, _)| left * left).sum();
        if slope < 1e-12 {
            break;
        }
        let step = pace * 0.1 * best.0 / slope;
        let both = prices.iter_mut().zip(&left);
        both.for_each(|(price, left)| *price = (*price - step * left).max(0.0));
    }
    let scaled = best.1.iter().zip(&scale);
    scaled.map(|(price, scale)| price / scale).collect()
}

/// Sum of the products, in lanes that a processor can take together; the lengths are multiples of [`LANES`].
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}
