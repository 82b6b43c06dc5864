//! The instance catalogue: what a node of each type offers to pods, and what it costs.
//!
//! [`Catalogue::built_in`] is a selection of AWS, GCP and Azure types that are current and fit for Kubernetes nodes. Its
//! tables (`tables/*.csv`) carry source, date and licence in their heads, and so does each [`InstanceType::source`].
//! A figure that the sources do not know is `None`; nothing is estimated from a neighbouring region or type.
//!
//! A shape (cores, memory, architecture, pods) is the same in every region, a price is not: [`Catalogue::get`] answers only
//! for the regions in the tables, [`Catalogue::shape`] for any region. Allocatable is computed, see [`allocatable`].
//!
//! # The price file
//!
//! [`Catalogue::with_price_csv`] reads prices of one's own. The built-in tables are written in the same format: UTF-8, comma
//! separated, one header line in any column order, lines that start with `#` ignored. An empty cell is "not stated".
//!
//! | column | unit and meaning | needed |
//! |---|---|---|
//! | `provider` | `aws`, `gcp` or `azure` | always |
//! | `region` | the provider's region name | always |
//! | `instance_type` | the provider's type name | always |
//! | `on_demand_usd_per_hour` | USD an hour, above 0 | column always; the cell unless a spot price is known |
//! | `spot_usd_per_hour` | USD an hour, above 0 | no |
//! | `interruptions_per_hour` | expected reclaims of one spot node an hour | no |
//! | `interruption_band` | 0 to 4, the band of the EC2 Spot Instance Advisor, in place of a rate | no |
//! | `architecture` | `amd64` or `arm64`; a new type's default is `amd64` | no |
//! | `vcpus` | cores as the provider counts them | for a new type |
//! | `memory` | a Kubernetes quantity such as `16Gi` | for a new type |
//! | `gpus` | whole GPUs; a new type's default is 0 | no |
//! | `pods` | most pods a node | for a new AWS type, where it follows from the network interfaces |
//!
//! A cell that is not stated keeps what the catalogue knows of that type in that region. A stated `vcpus`, `memory`, `gpus`,
//! `pods` or `architecture` of a known type holds for the row's region alone.
//!
//! ```
//! use ketscale_engine::catalogue::Catalogue;
//! use ketscale_engine::problem::Provider;
//!
//! let file = b"provider,region,instance_type,on_demand_usd_per_hour\naws,eu-west-1,m7g.large,0.0911\n";
//! let catalogue = Catalogue::built_in().with_price_csv(file, "prices.csv").map_err(|errors| errors[0].to_string())?;
//! let node = catalogue.get(Provider::Aws, "eu-west-1", "m7g.large").ok_or("absent")?;
//! assert_eq!((node.on_demand_usd_per_hour, node.allocatable.cpu_mcores), (Some(0.0911), 1930));
//! # Ok::<(), String>(())
//! ```

pub mod allocatable;
mod cells;
mod entry;
mod error;
mod filter;
mod interruptions;
mod price_csv;
mod provider;
mod row;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::problem::Provider;

pub use entry::{Allocatable, InstanceType, Shape};
pub use error::PriceError;
pub use filter::Filter;
pub use interruptions::interruptions_per_hour_of_band;
pub use price_csv::{MAX_ERRORS, MAX_PRICE_FILE_BYTES};
pub use provider::UnknownProvider;

const TABLES: [(&str, &str); 3] = [
    ("aws.csv", include_str!("tables/aws.csv")),
    ("azure.csv", include_str!("tables/azure.csv")),
    ("gcp.csv", include_str!("tables/gcp.csv")),
];

/// An immutable list of instance types by provider, type name and region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    providers: BTreeMap<Provider, BTreeMap<String, TypeEntry>>,
}

/// One type name of one provider.
#[derive(Clone, Debug, PartialEq)]
struct TypeEntry {
    shape: Shape,
    regions: BTreeMap<String, InstanceType>,
}

impl Catalogue {
    /// The catalogue that the program carries. Its prices hold for `us-east-1`; `europe-west1`, `europe-west4`, `us-central1`;
    /// `eastus`, `northeurope` and `westeurope`.
    #[allow(
        clippy::expect_used,
        reason = "the tables are compiled in, and reading them does not depend on any input"
    )]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
        BUILT_IN.get_or_init(|| {
            let empty = Self::default();
            let rows = TABLES.into_iter().flat_map(|(file, text)| {
                price_csv::read(&empty, text.as_bytes(), file, Some(citation(text)))
                    .expect("the built-in tables are well formed")
            });
            empty.extended(rows)
        })
    }

    /// The type in that region. `None` where no price of it is known there; [`Catalogue::shape`] may still know its size.
    pub fn get(
        &self,
        provider: Provider,
        region: &str,
        instance_type: &str,
    ) -> Option<&InstanceType> {
        self.entry(provider, instance_type)?.regions.get(region)
    }

    /// Size and allocatable of the type, whatever the region: the built-in figures, or for a type that a price file added those
    /// of its first row.
    pub fn shape(&self, provider: Provider, instance_type: &str) -> Option<&Shape> {
        Some(&self.entry(provider, instance_type)?.shape)
    }

    /// Every type in every region, ordered by provider, type name and region.
    pub fn iter(&self) -> impl Iterator<Item = &InstanceType> {
        self.providers
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(|entry| entry.regions.values())
    }

    /// What [`Catalogue::iter`] gives, reduced to the rows that meet every condition stated.
    pub fn filter(&self, filter: &Filter) -> Vec<&InstanceType> {
        self.iter().filter(|row| filter.accepts(row)).collect()
    }

    /// A copy of this catalogue, overridden and extended by a price file in the format of the [module](self).
    ///
    /// `file_name` is only used in messages and in [`InstanceType::source`].
    ///
    /// # Errors
    ///
    /// Every mistake of the file at once (at most [`MAX_ERRORS`]), each with its line and column.
    pub fn with_price_csv(&self, bytes: &[u8], file_name: &str) -> Result<Self, Vec<PriceError>> {
        Ok(self.extended(price_csv::read(self, bytes, file_name, None)?))
    }

    fn entry(&self, provider: Provider, instance_type: &str) -> Option<&TypeEntry> {
        self.providers.get(&provider)?.get(instance_type)
    }

    fn extended(&self, rows: impl IntoIterator<Item = InstanceType>) -> Self {
        let mut catalogue = self.clone();
        for row in rows {
            let types = catalogue.providers.entry(row.provider).or_default();
            let entry = types
                .entry(row.instance_type.clone())
                .or_insert_with(|| TypeEntry {
                    shape: row.shape(),
                    regions: BTreeMap::new(),
                });
            entry.regions.insert(row.region.clone(), row);
        }
        catalogue
    }
}

/// The `# source:` line of a table.
fn citation(table: &str) -> &str {
    table
        .lines()
        .find_map(|line| line.strip_prefix("# source: "))
        .unwrap_or_default()
}
