//! The wire contract of Ketscale: the types, client and server stubs generated from `ketscale/v1/plan.proto`.
//!
//! The contract is documented in that file, field by field with units. This crate holds no logic.
//!
//! ```no_run
//! use ketscale_proto::v1::plan_service_client::PlanServiceClient;
//! use ketscale_proto::v1::{CreatePlanRequest, create_plan_request::Source};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = PlanServiceClient::connect("http://127.0.0.1:7311").await?;
//! let source = Source::ProblemJson(std::fs::read("problem.yaml")?);
//! let plan = client.create_plan(CreatePlanRequest { source: Some(source), ..Default::default() }).await?.into_inner();
//! std::fs::write("plan.json", &plan.plan_json)?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

/// Version 1 of the contract, package `ketscale.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    reason = "generated code; the contract carries the documentation"
)]
pub mod v1 {
    tonic::include_proto!("ketscale.v1");

    /// The encoded `google.protobuf.FileDescriptorSet` of the contract, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] =
        tonic::include_file_descriptor_set!("ketscale.v1.descriptors");
}
