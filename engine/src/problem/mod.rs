//! The problem file: its types, how it is read, checked and completed from the catalogue.

mod change;
mod comments;
mod conform;
mod document;
mod expected;
mod issue;
mod locate;
mod quantity;
mod read;
mod resolve;
mod schema;
mod validate;
mod write;

pub use change::{Changes, Setting};
pub use comments::Comments;
pub(crate) use conform::Format;
pub use document::*;
pub(crate) use issue::{At, Mistakes, entry_name, shown};
pub use issue::{InputErrors, Issue};
pub use quantity::Quantity;
pub(crate) use read::read_as;
pub use read::{MAX_FILE_BYTES, read};
pub use resolve::resolve;
pub use schema::json_schema;
pub(crate) use schema::published;
pub use validate::validate;
pub(crate) use validate::value;
pub use write::to_yaml;
