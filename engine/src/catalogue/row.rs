//! One row of a price file, merged with what the catalogue knows.

use std::str::FromStr;

use super::allocatable::{self, Capacity};
use super::cells::Cells;
use super::{Catalogue, InstanceType, Shape, interruptions_per_hour_of_band};
use crate::problem::{Provider, Quantity};

/// Longest region or type name.
const LONGEST_NAME: usize = 128;

/// Bounds that keep arithmetic exact and catch a wrong unit, such as `16` bytes for 16 GiB.
const LEAST_MEMORY_BYTES: u64 = 128 << 20;
const MOST_MEMORY_BYTES: u64 = 1 << 50;
const MOST_VCPUS: u32 = 65_536;
const MOST_PODS: u32 = 10_000;
const MOST_GPUS: u32 = 1_024;
const MOST_USD_PER_HOUR: f64 = 1e6;
const MOST_INTERRUPTIONS_PER_HOUR: f64 = 3600.0;

const A_NAME: &str = "a name of at most 128 letters, digits, '.', '_' and '-'";
const A_PRICE: &str = "USD an hour above 0 and at most 1000000, or nothing when not known";

/// The row's instance type; `None` after mistakes, which are in `cells.errors`.
pub(super) fn read(
    base: &Catalogue,
    cells: &mut Cells<'_>,
    source: Option<&str>,
) -> Option<InstanceType> {
    let mistakes = cells.errors.len();
    let provider = cells.required("provider", "aws, gcp or azure", provider);
    let region = cells.required("region", A_NAME, name);
    let instance_type = cells.required("instance_type", A_NAME, name);

    let key = provider
        .zip(region.as_deref())
        .zip(instance_type.as_deref());
    let known = key
        .and_then(|((provider, region), instance_type)| base.get(provider, region, instance_type));
    let known_shape = known
        .map(InstanceType::shape)
        .or_else(|| base.shape(provider?, instance_type.as_deref()?).cloned());
    // Without a readable name nothing can be said about what else the row needs.
    let new_on = provider.filter(|_| instance_type.is_some() && known_shape.is_none());
    let stated = StatedShape::read(cells, new_on);
    let prices = Prices::read(cells, known);
    if cells.errors.len() > mistakes {
        return None;
    }

    let (provider, region, instance_type) = (provider?, region?, instance_type?);
    let shape = stated.over(known_shape, provider, &instance_type)?;
    let source = source.map_or_else(|| cited(cells, known), str::to_owned);
    Some(InstanceType {
        provider,
        region,
        instance_type,
        architecture: shape.architecture,
        vcpus: shape.vcpus,
        memory_bytes: shape.memory_bytes,
        gpus: shape.gpus,
        on_demand_usd_per_hour: prices.on_demand_usd_per_hour,
        spot_usd_per_hour: prices.spot_usd_per_hour,
        spot_interruptions_per_hour: prices.interruptions_per_hour,
        allocatable: shape.allocatable,
        source,
    })
}

/// The shape cells of a row.
struct StatedShape {
    architecture: Option<String>,
    vcpus: Option<u32>,
    memory_bytes: Option<u64>,
    gpus: Option<u32>,
    pods: Option<u32>,
}

impl StatedShape {
    /// `new_on` is the provider of a type that the catalogue lacks: its size has to be stated.
    fn read(cells: &mut Cells<'_>, new_on: Option<Provider>) -> Self {
        Self {
            architecture: cells.optional("architecture", "amd64 or arm64", architecture),
            vcpus: of_new(
                cells,
                new_on.is_some(),
                "vcpus",
                "1 to 65536 cores",
                |value| whole(value, 1..=MOST_VCPUS),
            ),
            memory_bytes: of_new(
                cells,
                new_on.is_some(),
                "memory",
                "a quantity of 128Mi to 1Pi, such as 16Gi",
                memory,
            ),
            gpus: cells.optional("gpus", "0 to 1024 GPUs", |value| {
                whole(value, 0..=MOST_GPUS)
            }),
            pods: of_new(
                cells,
                new_on == Some(Provider::Aws),
                "pods",
                "1 to 10000 pods",
                |value| whole(value, 1..=MOST_PODS),
            ),
        }
    }

    /// The stated values over the known ones, with allocatable computed anew.
    fn over(self, known: Option<Shape>, provider: Provider, instance_type: &str) -> Option<Shape> {
        let vcpus = self.vcpus.or(known.as_ref().map(|shape| shape.vcpus))?;
        let memory_bytes = self
            .memory_bytes
            .or(known.as_ref().map(|shape| shape.memory_bytes))?;
        let gpus = self
            .gpus
            .or(known.as_ref().map(|shape| shape.gpus))
            .unwrap_or(0);
        let known_pods = known
            .as_ref()
            .and_then(|shape| u32::try_from(shape.allocatable.pods).ok());
        let architecture = self
            .architecture
            .or(known.map(|shape| shape.architecture))
            .unwrap_or_else(|| "amd64".to_owned());
        let capacity = Capacity {
            instance_type,
            architecture: &architecture,
            vcpus,
            memory_bytes,
            gpus,
        };
        let allocatable = allocatable::of(provider, &capacity, self.pods.or(known_pods))?;
        Some(Shape {
            architecture,
            vcpus,
            memory_bytes,
            gpus,
            allocatable,
        })
    }
}

/// A cell that a new type needs and a known type may leave out.
fn of_new<T>(
    cells: &mut Cells<'_>,
    new: bool,
    column: &str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if new {
        cells.required(
            column,
            &format!("{expected}, for the catalogue does not know this type"),
            parse,
        )
    } else {
        cells.optional(column, expected, parse)
    }
}

/// The price cells of a row over the known prices.
struct Prices {
    on_demand_usd_per_hour: Option<f64>,
    spot_usd_per_hour: Option<f64>,
    interruptions_per_hour: Option<f64>,
}

impl Prices {
    fn read(cells: &mut Cells<'_>, known: Option<&InstanceType>) -> Self {
        let mistakes = cells.errors.len();
        let on_demand = cells.optional("on_demand_usd_per_hour", A_PRICE, usd_per_hour);
        let spot = cells.optional("spot_usd_per_hour", A_PRICE, usd_per_hour);
        let rate = cells.optional(
            "interruptions_per_hour",
            "a rate of 0 to 3600 an hour",
            rate_per_hour,
        );
        let band = cells.optional("interruption_band", "a band of 0 to 4", |value| {
            Some((
                value.to_owned(),
                interruptions_per_hour_of_band(value.parse().ok()?)?,
            ))
        });
        if let (Some(_), Some((value, _))) = (rate, &band) {
            cells.refuse(
                "interruption_band",
                value,
                "nothing, for the row states interruptions_per_hour",
            );
        }
        let prices = Self {
            on_demand_usd_per_hour: on_demand.or(known.and_then(|row| row.on_demand_usd_per_hour)),
            spot_usd_per_hour: spot.or(known.and_then(|row| row.spot_usd_per_hour)),
            interruptions_per_hour: rate
                .or(band.map(|(_, rate)| rate))
                .or(known.and_then(|row| row.spot_interruptions_per_hour)),
        };
        let unpriced = prices
            .on_demand_usd_per_hour
            .or(prices.spot_usd_per_hour)
            .is_none();
        if unpriced && cells.errors.len() == mistakes {
            cells.refuse(
                "on_demand_usd_per_hour",
                "",
                "an on-demand or a spot price, for none is known",
            );
        }
        prices
    }
}

fn cited(cells: &Cells<'_>, known: Option<&InstanceType>) -> String {
    let here = format!("{}, line {}", cells.file, cells.line);
    known.map_or_else(
        || here.clone(),
        |row| format!("{here}; what it leaves out: {}", row.source),
    )
}

fn provider(value: &str) -> Option<Provider> {
    Provider::from_str(value)
        .ok()
        .filter(|&provider| provider != Provider::Other)
}

fn name(value: &str) -> Option<String> {
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    (plain && value.len() <= LONGEST_NAME).then(|| value.to_owned())
}

fn architecture(value: &str) -> Option<String> {
    matches!(value, "amd64" | "arm64").then(|| value.to_owned())
}

fn whole(value: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    value.parse().ok().filter(|number| range.contains(number))
}

fn memory(value: &str) -> Option<u64> {
    let bytes = Quantity(value.to_owned()).units()?;
    (LEAST_MEMORY_BYTES..=MOST_MEMORY_BYTES)
        .contains(&bytes)
        .then_some(bytes)
}

fn usd_per_hour(value: &str) -> Option<f64> {
    value
        .parse()
        .ok()
        .filter(|&usd: &f64| usd > 0.0 && usd <= MOST_USD_PER_HOUR)
}

fn rate_per_hour(value: &str) -> Option<f64> {
    value
        .parse()
        .ok()
        .filter(|rate| (0.0..=MOST_INTERRUPTIONS_PER_HOUR).contains(rate))
}
