//! The cost on the blocks of one group, and its phases.

use crate::aligned::Aligned;
use crate::cost::{Cost, Indexed, Linear, Pairwise, Source};
use crate::kernels::{Angle, InstructionSet, Number, Product, Tile, TileMut};
use crate::layout::{Group, Layout};
use crate::parallel::{Loan, Pool};
use std::ops::Range;

/// Costs for each factor that their phases are products of, so that the products are less work.
const FEW: usize = 2;

/// The cost as the blocks of one group see it.
#[derive(Debug, Clone)]
pub(crate) struct Diagonal<'a> {
    group: Group,
    kind: Kind<'a>,
    /// Whether phases are applied to transposed blocks.
    turned: bool,
}

#[derive(Debug, Clone)]
enum Kind<'a> {
    /// N stored costs.
    Table(&'a [f64]),
    /// N stored numbers of steps.
    Indexed(&'a Indexed),
    /// A block's own costs, the same for all blocks; what the digits outside the block add is linear in those inside.
    Pairwise {
        cost: &'a Pairwise,
        own: Vec<f64>,
        axes: usize,
    },
    /// The costs of the only block, and the same transposed where phases are applied to that.
    Block { costs: Vec<f64>, turned: Vec<f64> },
    /// The costs of the only block, and what they are sums of: their phases are products of few.
    Split {
        costs: Vec<f64>,
        rows: Vec<f64>,
        factors: Vec<f64>,
        products: Vec<Product>,
    },
}

/// Where a tile lies: its first amplitude, and the width of its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) first: usize,
    pub(crate) columns: usize,
}

/// Phases of a block's own costs, or of every step.
pub(crate) type Table<T> = [Aligned<T>; 2];

/// A layer's phase on one group.
#[derive(Debug)]
pub(crate) struct Phase<'a, T: Number> {
    angle: Angle,
    table: Option<Loan<'a, Table<T>>>,
}

impl<T: Number> Phase<'_, T> {
    /// Nothing where there is none.
    fn table(&self) -> Tile<'_, T> {
        let lent = self.table.as_ref().and_then(|table| table.lent.as_ref());
        lent.map_or((&[], &[]), tile)
    }
}

/// A thread's buffers for the costs and phases of one block.
#[derive(Debug)]
pub(crate) struct Buffers<T: Number> {
    costs: Aligned<f64>,
    other: Aligned<f64>,
    steps: [Aligned<u16>; 2],
    rows: Aligned<f64>,
    columns: Aligned<f64>,
    factors: [Aligned<T>; 4],
    split: Split<T>,
}

/// Room for the phases of a split block: of its rows and its factors, and the products that are left for other rows. It is made when it
/// is used first.
#[derive(Debug)]
struct Split<T: Number> {
    rows: [Aligned<T>; 2],
    factors: [Aligned<T>; 2],
    places: [Aligned<T>; 2],
}

fn room<T: Number>(length: usize) -> [Aligned<T>; 2] {
    [(); 2].map(|()| Aligned::zeros(length))
}

/// Two lists of so many numbers, whatever they hold.
fn resized<T: Number>(lists: &mut [Aligned<T>; 2], length: usize) -> TileMut<'_, T> {
    if lists[0].as_slice().len() != length {
        *lists = room(length);
    }
    let [re, im] = lists;
    (re.as_mut_slice(), im.as_mut_slice())
}

fn tile<T: Number>([re, im]: &[Aligned<T>; 2]) -> Tile<'_, T> {
    (re.as_slice(), im.as_slice())
}

impl<T: Number> Buffers<T> {
    pub(crate) fn new(layout: &Layout) -> Self {
        let most =
            |length: fn(&Group) -> usize| layout.groups.iter().map(length).max().unwrap_or(0);
        let rows = most(|group| group.block_rows.next_multiple_of(T::LANES));
        let columns = most(|group| group.pitch);
        let block = layout.block::<T>();
        Self {
            costs: Aligned::zeros(block),
            other: Aligned::zeros(block),
            steps: [(); 2].map(|()| Aligned::zeros(block)),
            rows: Aligned::zeros(rows),
            columns: Aligned::zeros(columns),
            factors: [rows, rows, columns, columns].map(Aligned::zeros),
            split: Split {
                rows: room(0),
                factors: room(0),
                places: room(0),
            },
        }
    }
}

impl Kind<'_> {
    /// Of a register that is one block.
    fn alone<T: Number>(cost: &Cost, source: Source, group: &Group, turned: bool) -> Self {
        let costs = padded(group, &cost.values());
        if turned {
            let turned = self::turned::<T>(group, &costs);
            return Self::Block { costs, turned };
        }
        if let Source::Pairwise(pairs) = source {
            let (rows, factors) = pairs.split(group.axes.start);
            if FEW * (rows.len() + factors.len()) <= costs.len() {
                let products = Product::all(&cost.register().levels()[group.axes.clone()]);
                return Self::Split {
                    costs,
                    rows,
                    factors,
                    products,
                };
            }
        }
        Self::Block {
            costs,
            turned: Vec::new(),
        }
    }
}

impl<'a> Diagonal<'a> {
    pub(crate) fn new<T: Number>(cost: &'a Cost, layout: &Layout, group: usize) -> Self {
        let turned = group == 0 && !layout.direct;
        let group = layout.groups[group].clone();
        let alone = group.blocks() == 1 && group.amplitudes() == cost.register().dimension();
        let kind = match cost.source() {
            Source::Indexed(cost) => Kind::Indexed(cost),
            source if alone => Kind::alone::<T>(cost, source, &group, turned),
            Source::Table(values) => Kind::Table(values),
            Source::Pairwise(cost) => {
                let column_axes = group.column_axes.unwrap_or(0);
                let axes: Vec<usize> = (0..column_axes).chain(group.block_axes.clone()).collect();
                Kind::Pairwise {
                    cost,
                    own: padded(&group, &cost.own(&axes)),
                    axes: cost.axes(),
                }
            }
        };
        Self {
            group,
            kind,
            turned,
        }
    }

    /// How many phases the table of a layer has.
    pub(crate) fn phases(&self) -> usize {
        match &self.kind {
            Kind::Table(_) | Kind::Block { .. } | Kind::Split { .. } => 0,
            Kind::Indexed(cost) => cost.steps(),
            Kind::Pairwise { own, .. } => own.len(),
        }
    }

    /// The phase of a layer, ready to be applied; `tables` has what earlier ones left.
    pub(crate) fn phase<'t, T: Number>(
        &self,
        isa: InstructionSet,
        angle: Angle,
        tables: &'t Pool<Table<T>>,
    ) -> Phase<'t, T> {
        let list = |costs: &[f64], angle: Angle| {
            let mut table = tables.lend(|| room(costs.len()));
            if let Some(lists) = &mut table.lent {
                let (re, im) = resized(lists, costs.len());
                isa.phases(costs, angle, re, im);
            }
            Some(table)
        };
        // The offset stands where a block's constant does.
        let without_offset = Angle {
            offset: 0.0,
            ..angle
        };
        let table = match &self.kind {
            // On the only block a table would serve once.
            Kind::Table(_) | Kind::Block { .. } | Kind::Split { .. } => None,
            Kind::Indexed(cost) => list(&cost.costs(), angle),
            Kind::Pairwise { own, .. } if self.turned => {
                list(&turned::<T>(&self.group, own), without_offset)
            }
            Kind::Pairwise { own, .. } => list(own, without_offset),
        };
        Phase { angle, table }
    }

    /// What the digits outside a tile make of the cost, `None` where it is stored.
    pub(crate) fn outside(&self, position: Position) -> Option<Linear> {
        let Kind::Pairwise { cost, axes, .. } = &self.kind else {
            return None;
        };
        let mut linear = cost.free();
        let between = self.group.column_axes.unwrap_or(0)..self.group.axes.start;
        if !between.is_empty() {
            cost.fix_all(
                &mut linear,
                between,
                position.first % self.group.stride / self.group.columns,
            );
        }
        let above = position.first / (self.group.stride * self.group.rows);
        cost.fix_all(&mut linear, self.group.axes.end..*axes, above);
        Some(linear)
    }

    /// What the digits outside a block make of it: for its rows, and with the constant for its columns.
    fn linear<T: Number>(&self, outside: &Linear, block: usize, buffers: &mut Buffers<T>) {
        let Kind::Pairwise { cost, .. } = &self.kind else {
            return;
        };
        let mut linear = outside.clone();
        cost.fix_all(
            &mut linear,
            self.group.block_axes.end..self.group.axes.end,
            block,
        );
        cost.spread(
            &linear,
            self.group.block_axes.clone(),
            0.0,
            buffers.rows.as_mut_slice(),
        );
        let columns = 0..self.group.column_axes.unwrap_or(0);
        cost.spread(
            &linear,
            columns,
            linear.constant,
            buffers.columns.as_mut_slice(),
        );
    }

    /// The costs of a block; what pads a row is zero.
    pub(crate) fn costs<'b, T: Number>(
        &'b self,
        isa: InstructionSet,
        position: Position,
        outside: Option<&Linear>,
        block: usize,
        buffers: &'b mut Buffers<T>,
    ) -> &'b [f64] {
        let length = self.group.block();
        match (&self.kind, outside) {
            (Kind::Block { costs, .. } | Kind::Split { costs, .. }, _) => return costs,
            (Kind::Pairwise { own, .. }, Some(outside)) => {
                self.linear(outside, block, buffers);
                isa.costs::<T>(
                    &mut buffers.costs.as_mut_slice()[..length],
                    own,
                    &buffers.rows.as_slice()[..self.group.block_rows],
                    &buffers.columns.as_slice()[..self.group.pitch],
                );
            }
            (Kind::Table(values), _) => self.copy(
                values,
                position,
                block,
                buffers.costs.as_mut_slice(),
                |&cost| cost,
            ),
            (Kind::Indexed(cost), _) => self.copy(
                cost.index(),
                position,
                block,
                buffers.costs.as_mut_slice(),
                |&step| cost.at(step),
            ),
            _ => {}
        }
        &buffers.costs.as_slice()[..length]
    }

    /// Copies a block of a list with one entry a basis state; what pads a row is zero.
    fn copy<N, M: Default>(
        &self,
        list: &[N],
        position: Position,
        block: usize,
        to: &mut [M],
        entry: impl Fn(&N) -> M,
    ) {
        let first = position.first + block * self.group.block_rows * self.group.stride;
        let rows = to[..self.group.block()].chunks_exact_mut(self.group.pitch);
        for (row, to) in rows.enumerate() {
            let from = &list[first + row * self.group.stride..][..position.columns];
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = entry(from));
            to[position.columns..].fill_with(M::default);
        }
    }

    /// Multiplies a block of some states by its phases.
    pub(crate) fn apply<T: Number>(
        &self,
        isa: InstructionSet,
        phase: &Phase<'_, T>,
        (position, outside): (Position, Option<&Linear>),
        block: usize,
        buffers: &mut Buffers<T>,
        states: &mut [TileMut<T>],
    ) {
        let angle = phase.angle;
        let table = phase.table();
        if let Kind::Block { costs, turned } = &self.kind {
            let costs = if self.turned { turned } else { costs };
            return each(states, |re, im| isa.phase(re, im, costs, angle));
        }
        if let Kind::Split {
            rows,
            factors,
            products,
            ..
        } = &self.kind
        {
            let lists = (rows.as_slice(), factors.as_slice(), products.as_slice());
            return self.apply_split(isa, lists, angle, &mut buffers.split, states);
        }
        if let Kind::Indexed(cost) = &self.kind {
            let [steps, turned] = buffers.steps.each_mut().map(Aligned::as_mut_slice);
            self.copy(cost.index(), position, block, steps, |&step| step);
            if self.turned {
                turn::<T, u16>(&self.group, steps, turned);
            }
            let steps = if self.turned { turned } else { steps };
            return each(states, |re, im| isa.phase_steps(re, im, steps, table));
        }
        let Some(outside) = outside else {
            self.costs(isa, position, None, block, buffers);
            if self.turned {
                let other = buffers.other.as_mut_slice();
                turn::<T, f64>(&self.group, buffers.costs.as_slice(), other);
            }
            let costs = if self.turned {
                &buffers.other
            } else {
                &buffers.costs
            };
            return each(states, |re, im| isa.phase(re, im, costs.as_slice(), angle));
        };
        self.linear(outside, block, buffers);
        let [r_re, r_im, c_re, c_im] = buffers.factors.each_mut().map(Aligned::as_mut_slice);
        let (rows, columns) = (self.group.turned_pitch::<T>(), self.group.pitch);
        isa.phases(
            &buffers.rows.as_slice()[..rows],
            Angle {
                offset: 0.0,
                ..angle
            },
            r_re,
            r_im,
        );
        isa.phases(&buffers.columns.as_slice()[..columns], angle, c_re, c_im);
        let (rows, columns) = if self.turned {
            let width = self.group.turned_pitch::<T>();
            (
                (&c_re[..self.group.columns], &c_im[..self.group.columns]),
                (&r_re[..width], &r_im[..width]),
            )
        } else {
            let width = self.group.pitch;
            (
                (
                    &r_re[..self.group.block_rows],
                    &r_im[..self.group.block_rows],
                ),
                (&c_re[..width], &c_im[..width]),
            )
        };
        each(states, |re, im| {
            isa.phase_product(re, im, table, rows, columns);
        });
    }

    /// Multiplies the only block of some states by the products of its rows' and factors' phases.
    fn apply_split<T: Number>(
        &self,
        isa: InstructionSet,
        (rows, factors, products): (&[f64], &[f64], &[Product]),
        angle: Angle,
        room: &mut Split<T>,
        states: &mut [TileMut<T>],
    ) {
        let unit = Angle {
            offset: 0.0,
            ..angle
        };
        let phases = |costs: &[f64], angle, to: TileMut<T>| isa.phases(costs, angle, to.0, to.1);
        phases(rows, angle, resized(&mut room.rows, rows.len()));
        phases(factors, unit, resized(&mut room.factors, factors.len()));
        let places = (self.group.axes.len() + 1) * self.group.pitch;
        let (p_re, p_im) = resized(&mut room.places, places);
        let (rows, factors) = (tile(&room.rows), tile(&room.factors));
        each(states, |re, im| {
            isa.phase_split(re, im, rows, factors, products, (&mut *p_re, &mut *p_im));
        });
    }
}

/// Does the same to a block of every state.
fn each<T: Number>(states: &mut [TileMut<T>], mut apply: impl FnMut(&mut [T], &mut [T])) {
    for (re, im) in states {
        apply(re, im);
    }
}

/// A block of costs with its rows made whole vectors by zeros.
fn padded(group: &Group, costs: &[f64]) -> Vec<f64> {
    let pad = std::iter::repeat_n(0.0, group.pitch - group.columns);
    costs
        .chunks_exact(group.columns)
        .flat_map(|row| row.iter().copied().chain(pad.clone()))
        .collect()
}

/// A block of costs, transposed.
fn turned<T: Number>(group: &Group, costs: &[f64]) -> Vec<f64> {
    let mut turned = vec![0.0; group.columns * group.turned_pitch::<T>()];
    turn::<T, f64>(group, costs, &mut turned);
    turned
}

/// Transposes a block.
fn turn<T: Number, N: Copy>(group: &Group, from: &[N], to: &mut [N]) {
    let rows = to.chunks_exact_mut(group.turned_pitch::<T>());
    for (column, to) in rows.take(group.columns).enumerate() {
        let column = from.iter().skip(column).step_by(group.pitch);
        to.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
    }
}

/// The tiles of a group in order.
pub(crate) fn positions(group: &Group, dimension: usize) -> impl Iterator<Item = Position> + '_ {
    let starts = |range: Range<usize>, step: usize| range.step_by(step);
    starts(0..dimension, group.rows * group.stride).flat_map(move |block| {
        starts(0..group.stride, group.columns).map(move |column| Position {
            first: block + column,
            columns: group.columns.min(group.stride - column),
        })
    })
}
